"""Word lists: what looks like a name and is none, what stands before names, and towns that Faker's lists lack."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Where Faker has no list, or makes places up: large towns that a western European desk meets.
TOWNS = _words(
    """
    Aachen Aberdeen Antwerp Atlanta Augsburg Barcelona Basel Bath Belfast Bern Bielefeld Birmingham Bochum Bonn
    Bordeaux Boston Bottrop Bradford Braunschweig Bremen Bremerhaven Brighton Bristol Bruges Brussels Cambridge
    Cardiff Chemnitz Chicago Cologne Copenhagen Cottbus Coventry Dallas Darmstadt Denver Derby Dortmund Dresden
    Dublin Duisburg Dundee Düsseldorf Edinburgh Emden Emmerich Erfurt Erlangen Essen Exeter Frankfurt Freiburg Fürth
    Gelsenkirchen Geneva Genf Ghent Glasgow Graz Göttingen Hagen Halle Hamburg Hamm Hannover Hanover Heidelberg
    Heilbronn Herne Hildesheim Houston Hull Ingolstadt Innsbruck Inverness Istanbul Jena Karlsruhe Kassel Kiel Kleve
    Koblenz Kraków Krefeld Köln Lausanne Leeds Leicester Leipzig Leverkusen Lille Linz Lisbon Liverpool London
    Ludwigshafen Lugano Luzern Lyon Lübeck Madrid Magdeburg Mainz Manchester Mannheim Marseille Miami Milan Moers
    Montpellier Munich Mönchengladbach München Münster Nantes Newcastle Nice Norwich Nottingham Nuremberg Nürnberg
    Oberhausen Offenbach Oldenburg Osnabrück Oxford Paderborn Paris Pforzheim Philadelphia Plymouth Portsmouth
    Potsdam Prague Regensburg Remscheid Rennes Reutlingen Rome Rostock Saarbrücken Salzburg Seattle Sheffield Siegen
    Solingen Southampton Stockholm Strasbourg Sunderland Swansea Toulouse Trier Ulm Vienna Warsaw Wien Wiesbaden
    Winterthur Wolfsburg Wolverhampton Wuppertal Würzburg York Zürich
    """
)
TOWNS_OF_TWO_WORDS = frozenset(
    ("New York", "Los Angeles", "San Francisco", "The Hague", "Den Haag", "Den Bosch", "Sankt Gallen")
)
COUNTRIES = _words(
    """
    australia austria belgien belgium belgië canada china denmark deutschland duitsland england europa europe
    finland france frankreich frankrijk germany gibraltar greece holland hungary india ireland italien italy japan
    luxembourg luxemburg monaco nederland netherlands niederlande norway oostenrijk poland polen portugal romania
    schweden schweiz scotland singapore spain spanien spanje sweden switzerland turkey turkije türkei ukraine wales
    zwitserland österreich
    """
)
# Villages whose names are words.
NO_PLACES = _words(
    """
    america beek best enter fur give hem hoek linde made mal marke marken melden most waren
    """
)
# Names that are words as well: they count only beside a greeting, a title and the like, or in the middle of a sentence.
AMBIGUOUS = _words(
    """
    abend adel adler alma amber america among an anders angel ans april art august aurora autumn baron bas basel
    basil ben bent berg bergen berger beste bill bitten bo bond brand brandy brave breda brook carol chance charity
    chase cherry christian come constance crystal daisy dan dawn dean delta destiny diamond dien dirk don door drew
    duke earl einer elke else engel erin ernst eve ever express faith falk fee fern fleur floor flora forest forum
    fox france frank frau friedel gene german gift ginger glen glory grace grant gro guy hagen happy harm harmony
    has haven hazel heather heide heiden heil hein hertz hill holly honor hope hung hunter iban iris ivy jade jan
    jasmine jasper jay jet jewel job joke joy juli june juni junior king ko lady lance lane leider lief lies lily
    linde line loan long lot love luck mac made mai major man mark mars martin max maximal may mei mercy merel mies
    milan miles min mir misty more niks olive over owe page paris pat patience pearl pen penny per poppy post prince
    rainer ran ray red reet reich rein rich rob robin roos rose ruby run rusty sad sage said salami sam server side
    sky sole sonne sonny star stein stella sterling storm sue summer sun sunny sven tag tage tea teller temple till
    tim toon toy trent trinity valid van velvet victor victory viola violet wahl walker ward west wil will winter
    wolf young
    """
)
MONTHS = _words(
    """
    apr april aug august augustus dec december dez dezember feb februar februari february jan januar januari january
    jul juli july jun june juni maart mai mar march may mei mrt märz nov november oct october okt oktober sep sept
    september
    """
)
# Capitalised at the start of a sentence, in a greeting or in German, and nobody's name.
NO_NAMES = _words(
    """
    a aan about account after all alle allemaal allen alles als also am anbei and anschrift any app are as at auch
    auf aus available bei beide beiden best better bij bin bitte both box brief but by call can chat cheers
    christmas company contact customer customers da dag damen dank danke dann darum das dat de dear deine delivered
    delivery dem den depot der des deze die dienstag dies dieser dinsdag dit do does donderdag donnerstag dr driver
    dus each easter een ein eine einen em en er es euch every everybody everyone extra fahrer familie firma folks
    for freitag friday from fräulein fw geehrte gentlemen gestern gisteren goede good gr greetings groet groeten
    groetjes gruß grüße guten guys haben hallo hat have he heer hello helpdesk herr herren herrn heute hey hi hier
    hij hoi home how i i'm ich ihr ihre ihrem ihren ik ill im in is ist it its ja je jij jou jouw jullie kan kann
    kein keine kerst kind kindly klant klanten klantenservice kollege kollegen kun kunde kunden kundenservice kundin
    können ladies last laut let liebe lieber liebes ma maandag madam mail manager me mein meine meinem meinen meneer
    mensen met mevrouw mfg mit mittwoch monday montag morgen morning mr mrs ms mvg my na naar nach nein next nice
    nicht niet no nog not now nr nu oder of office on once one online or order ostern our out paket pakket pallet
    parcel parcels partner pasen people please re reply returns sale sales samstag saturday sehr self sender service
    shall she shop should sie sinterklaas sir so sonnabend sonntag sorry still subject sunday support tach team
    thank thanks that the their then there these they this those thursday tickets to today tomorrow tot track
    tuesday uit und unser unsere us vanaf vandaag via vielen volgens von voor vrijdag waar wann want war was wat we
    wednesday weihnachten weil wenn were what when where which who why wie wij wir wo woensdag wollen would yes
    yesterday you your zaterdag zijn zondag zu zuletzt zum zur zusammen
    """
)
TITLES = _words(
    """
    dhr dr fam familie family fr frau heer herr herrn hr madame meneer mevr mevrouw miss mme monsieur mr mrs ms mw
    mx prof
    """
)
# After these a name may follow, but most often does not: only one that a list holds counts.
WEAK_CUES = _words(
    """
    am and bei ben bij bin bruder chef chefin en fahrer fahrerin fahrern familie for freund freundin from für here
    i'm im is ist kollege kollegen kollegin laut mann met mit mitbewohner mitbewohnerin mutter nachbar nachbarin
    nachbarn partnerin schwester sohn spricht to tochter und van vater vermieter vermieterin volgens von voor with
    zusteller
    """
)
# After these it does, but in German, where 'Partner' is followed by any noun.
RELATIONS = _words(
    """
    assistant bezorger boss boyfriend broer brother buren buurman buurvrouw chauffeur colleague collega courier dad
    daughter dochter driver father flatmate friend girlfriend housemate huisgenoot husband koerier landlord man
    moeder mother mum neighbor neighbour partner roommate sister son tenant vader vriend vriendin vrouw wife zoon
    zus
    """
)
# Frequent words, to tell German from English and Dutch.
GERMAN = _words(
    """
    am auch auf aus bei bitte das dass dem den der die drei ein eine einen es für haben hat ich ihr ihre ihren im
    ist kann mein meine mit nach nicht noch nur sich sie sind tage und von wenn wie wir wird wurde zu zum zwei
    """
)
NOT_GERMAN = _words(
    """
    and dat een en for het i ik is it je jullie maar met my naar niet not of the to van voor we you
    """
)
ARTICLES = _words(
    """
    a an das de dem den der die een ein eine het that the this
    """
)
# A town may follow.
PREPOSITIONS = _words(
    """
    and at aus bei bij en from für in naar nach near oder of or over te to uit und van via von voor
    """
)
