"""People and places in a text: by what stands before them, by the gazetteer, by what the desk knows.

There is no language model here: a greeting, a closing, a title, 'my neighbour' say that a name follows, whatever it
is; elsewhere a capitalised word counts only where a list holds it and no list says that it is a word. In German, whose
nouns all have capitals, the lists alone decide.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator

from trainer.privacy.gazetteer import folded, gazetteer
from trainer.privacy.lexicon import Lexicon
from trainer.privacy.references import Span
from trainer.privacy.word_lists import (
    AMBIGUOUS,
    ARTICLES,
    COUNTRIES,
    GERMAN,
    MONTHS,
    NO_NAMES,
    NOT_GERMAN,
    RELATIONS,
    TITLES,
    WEAK_CUES,
)

_UPPER = r"[A-ZÀ-ÖØ-ÞĆČĐĞİŁŃŐŘŚŞŠŰŹŻŽȘȚ]"
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
_INITIALS = re.compile(rf"(?:{_UPPER}\.[ ]?){{1,4}}(?={_UPPER})")
_PARTICLES = re.compile(
    r"(?:(?:van|von|vom|zu|zur|zum|de|der|den|des|ten|ter|te|da|dos|do|di|del|della|du|la|le|el|al|bin|ibn|ben|'t|'s"
    r"|Van|Von|De|Der|Den|Da|Di|Du|La|Le|El|Al|Ten|Ter)[ ]){1,3}"
)
_TITLE = re.compile(
    r"(?i:(?<!\w)(?:the\s|de\s)?(?:mr|mrs|ms|miss|mx|dr|prof|herrn?|frau|hr|fr|dhr|mevr|mevrouw|mw|meneer|heer|mme|monsieur"
    r"|madame|familie|family|fam)\b\.?[ ])+"
)
_GREETING = re.compile(
    r"(?im)(?:^[^\S\n]*|[.:!?] )(?:(?:hi|hey|hello|hallo|hoi|dag|beste|geachte|dear|lieber?|moin|servus"
    r"|bonjour|cher|chère|guten (?:tag|morgen|abend)|good (?:morning|afternoon|evening)"
    r"|goede(?:morgen|middag|navond)|sehr geehrte[rs]?"
    r"|thanks|thank you|thx|bedankt|danke|sorry|yes|ja|ok|okay)[ ,]{1,2}){1,2}"
)
_CLOSING = re.compile(
    r"(?i)(?<!\w)(?:(?:with )?(?:kind(?:est)?|best|warm(?:est)?|many) (?:regards|wishes|greetings)|regards|rgds|cheers"
    r"|thanks(?: (?:again|a lot|in advance|so much|for your help))?|thank you|thx|sincerely|yours(?: \w{4,10})?"
    r"|all the best|best|love|greetings|(?:met )?(?:vriendelijke|hartelijke|beste|lieve) groet(?:en|jes)?"
    r"|groet(?:en|jes)?|m\.?v\.?g|gr|(?:alvast )?(?:hartelijk )?bedankt|(?:mit )?(?:freundlichen?"
    r"|besten?|herzlichen?|lieben?|vielen?|schönen?) gr(?:ü|ue)(?:ß|ss)en?|gr(?:ü|ue)(?:ß|ss)e?|gru(?:ß|ss)|mfg|lg|vg"
    r"|vielen dank|danke(?: und gru(?:ß|ss))?)"
    r"[ \t]{0,3}[,.!:\u2013-]{0,2}[ \t]{0,3}(?:\n[ \t]{0,3}){0,3}(?=\S)"
)
_LINE_END = re.compile(r"[ \t]{0,3}[.,;!]?[ \t]{0,3}(?:\n|\Z|\()")
_STRONG = re.compile(
    r"(?i)\b(?:my name(?: is|'s|:)|the name(?: is|'s)|mijn naam is|ik heet|mein name ist|ich hei(?:ß|ss)e|je m'appelle"
    r"|names? ?(?:is|:)|naam:|name:|(?:is |are )?(?:called|named)|heet(?:te)?|hei(?:ß|ss)t|c/o|t\.?a\.?v\.?|attn\.?:?"
    r"|z\. ?hd?\.?|z\.hd\.?|for the attention of|signed(?: for)? by|spoke (?:to|with)|spoken (?:to|with)"
    r"|handed (?:it )?to|ask(?:ed)? for|on behalf of|getekend door|aangenomen door|namens|eine?m? gewisser?n?"
    r"|een zekere|a certain)[ ]"
)
_SENTENCE = re.compile(r"(?:\A|[.!?:;\n•*>\"“„(-])[\s\"'“„(]*\Z")

_BEFORE_SURNAME = re.compile(
    rf"(?<![\w.'])(?:(?:{_UPPER}\.[ ]?){{1,4}}"
    r"|(?:van (?:de|den|der) |van 't |von der |de la |[eE]l |[aA]l |de |van |von ))\Z"
)
_AND = re.compile(r"[ ](?:and|en|und|&)[ ]")


# One of these is in every text that the patterns match: looking for a plain string takes a tenth of the time.
_STRONG_HINTS = (
    "name", "naam", "heet", "heiß", "heiss", "appelle", "called", "c/o", "t.a.v", "tav", "attn", "z.", "attention",
    "signed", "spoke", "handed", "ask", "behalf", "door", "namens", "gewiss", "zeker", "certain",
)  # fmt: skip
_CLOSING_HINTS = (
    "regard", "wishes", "greeting", "rgds", "cheers", "thank", "thx", "sincerely", "yours", "best", "love", "groet",
    "mvg", "m.v.g", "gr", "bedankt", "mfg", "lg", "vg", "dank",
)  # fmt: skip
_CAPITALISED = re.compile(rf"(?<!\w){_UPPER}[^\W\d_]*(?:['\u2019-][^\W\d_]+)*")
_FOLLOWS_GREETING = re.compile(r"[ ]?(?:[,.!?\n\u2013-]|\Z)|[ ](?:and|en|und|&)[ ]")
_MOST_WORDS = 4


def find_names(text: str, lexicon: Lexicon, also: Collection[str] = ()) -> list[Span]:
    """Given names (`person`) and what follows them (`surname`), word by word, in order; titles are left out.

    A surname has its particles with it: `Anna de Vries` is Anna and `de Vries`.

    Args:
        also: Single words that are known as names of this ticket's people.
    """
    return sorted(_Reader(text, lexicon, also).names(), key=lambda span: span.start)


class _Reader:
    def __init__(self, text: str, lexicon: Lexicon, also: Collection[str]) -> None:
        self._text = text
        self._lexicon = lexicon
        self._lists = gazetteer()
        words = text[:4000].lower().split()
        self._german = sum(word in GERMAN for word in words) > sum(word in NOT_GERMAN for word in words)
        self._taken = bytearray(len(text))
        self._also = set(also)

    def names(self) -> Iterator[Span]:
        lowered = self._text.lower()
        if any(cue in lowered for cue in _STRONG_HINTS):
            for match in _STRONG.finditer(self._text):
                yield from self._take(self._read(match.end(), self._may_be))
        yield from self._greeted()
        if any(cue in lowered for cue in _CLOSING_HINTS):
            yield from self._signed()
        yield from self._anywhere()
        yield from self._again()

    def _greeted(self) -> Iterator[Span]:
        for match in _GREETING.finditer(self._text):
            found = self._read(match.end(), self._may_be, small=True)
            if not found:
                continue
            # 'Hello Parcel Express is late': without a comma after it, it must be somebody's name.
            if _FOLLOWS_GREETING.match(self._text, found[-1].end) or self._is_listed(self._said(found[0])):
                yield from self._take(found)
                if both := _AND.match(self._text, found[-1].end):
                    yield from self._take(self._read(both.end(), self._may_be, small=True))

    def _signed(self) -> Iterator[Span]:
        for match in _CLOSING.finditer(self._text):
            found = self._read(match.end(), self._may_be, small=True)
            if found and _LINE_END.match(self._text, found[-1].end):
                yield from self._take(found)

    def _anywhere(self) -> Iterator[Span]:
        for match in _CAPITALISED.finditer(self._text):
            if self._taken[match.start()]:
                continue
            before = self._text[max(0, match.start() - 24) : match.start()]
            last = before.lower().split()[-1:] if before.endswith(" ") else []
            cue = last[0].strip("(,.:\"'") if last else ""
            if cue in TITLES:
                found = self._read(match.start(), self._may_be, titled=True)
            elif cue in RELATIONS and not self._german:
                found = self._read(match.start(), self._may_be)
            elif cue in WEAK_CUES or cue in RELATIONS:
                found = self._read(match.start(), self._is_listed) or self._listed(match)
            else:
                found = self._listed(match)
            yield from self._take(found)

    def _listed(self, match: re.Match[str]) -> list[Span]:
        """A name that stands nowhere in particular."""
        word, start = match.group(), match.start()
        if word.isupper():
            return []  # 'IBAN' is a Spanish name too: what is all capitals must be said to be a name
        if self._is_given(word):
            found = not self._is_public(word) and (self._german or not self._has_article(start))
        elif self._is_before_surname(match):
            found = True
        elif folded(word) in AMBIGUOUS and folded(word) in self._lists.given:
            found = folded(word) not in self._lists.places | COUNTRIES and self._stands_as_name(match)
        else:
            start = self._start_of_surname(start)
            found = start != match.start() and self._is_listed(word)
        return self._read(start, lambda _: True, titled=start != match.start()) if found else []

    def _has_article(self, start: int) -> bool:
        """'De Hema' is a shop."""
        return self._text[max(0, start - 8) : start].lower().split()[-1:] in (["the"], ["de"], ["het"], ["een"], ["a"])

    def _is_before_surname(self, match: re.Match[str]) -> bool:
        """`Tiemen van der Ploeg`: a word that no list has, and a surname after it."""
        word = match.group()
        if len(word) < 3 or word.isupper() or folded(word) in AMBIGUOUS or self._is_word(word) or self._is_public(word):
            return False
        if not self._text.startswith(" ", match.end()) or self._has_article(match.start()):
            return False
        particles = _PARTICLES.match(self._text, match.end() + 1)
        starts = _SENTENCE.search(self._text, max(0, match.start() - 4), match.start())
        if not particles and (self._german or starts):
            return False
        following = _WORD.match(self._text, particles.end() if particles else match.end() + 1)
        return following is not None and following.group()[0].isupper() and self._is_listed(following.group())

    def _again(self) -> Iterator[Span]:
        """The same people once more: `Bakker` alone after `J. Bakker`, wherever it stands."""
        if not self._also:
            return
        for match in _WORD.finditer(self._text):
            word = match.group().removesuffix("'s").removesuffix("\u2019s")
            if word in self._also and not self._dated(match):
                yield from self._take([Span(match.start(), match.start() + len(word), "person")])

    def _dated(self, match: re.Match[str]) -> bool:
        around = self._text[max(0, match.start() - 3) : match.start()] + self._text[match.end() : match.end() + 3]
        return folded(match.group()) in MONTHS | AMBIGUOUS and any(character.isdigit() for character in around)

    def _stands_as_name(self, match: re.Match[str]) -> bool:
        """`Is Mark home?`, but neither `Mark my words`, `the Mark IV` nor anything in German."""
        before = self._text[max(0, match.start() - 24) : match.start()]
        if self._german or not before.endswith(" ") or _SENTENCE.search(before):
            return False
        following = _WORD.match(self._text, match.end() + 1)
        # Two capitals in a row may be a product: 'a Rose Gold watch'.
        return before.split()[-1].lower() not in ARTICLES and (
            following is None or not following.group()[0].isupper() or self._is_family(following.group())
        )

    def _start_of_surname(self, start: int) -> int:
        """Where the particles or initials before a surname start; `start` where there are none."""
        match = _BEFORE_SURNAME.search(self._text, max(0, start - 20), start)
        return match.start() if match else start

    def _read(
        self, position: int, first: Callable[[str], bool], *, titled: bool = False, small: bool = False
    ) -> list[Span]:
        """The words of a name that starts at a position; empty where none does."""
        text = self._text
        if title := _TITLE.match(text, position):
            position, titled = title.end(), True
        spans: list[Span] = []
        kind = "surname" if titled else "person"
        if initials := _INITIALS.match(text, position):
            spans.append(Span(position, position + len(initials.group().rstrip()), "person"))
            position, kind = initials.end(), "surname"
        words = 0
        while words < _MOST_WORDS:
            particles = _PARTICLES.match(text, position)
            if particles and not words and kind == "person":
                particles = None  # 'I am in De Bilt' and 'Hi de Vries' read the same; a title tells
            word = _WORD.match(text, particles.end() if particles else position)
            if word is None:
                break
            said = word.group()
            small_name = small and not words and said.islower() and len(said) > 2 and self._is_given(said)
            good = (first(said) if not words else self._continues(said, word.end())) and said[0].isupper()
            if not good and not small_name:
                break
            spans.append(Span(particles.start() if particles else word.start(), word.end(), kind))
            position, kind, words = word.end(), "surname", words + 1
            if small_name or not text.startswith(" ", position):
                break
            position += 1
        return spans if words else []

    def _take(self, spans: list[Span]) -> Iterator[Span]:
        for span in spans:
            if self._taken.find(1, span.start, span.end) < 0:
                self._taken[span.start : span.end] = b"\1" * (span.end - span.start)
                last = self._said(span).split()[-1]
                if len(last) > 2 and "." not in last and not last.islower():
                    self._also.add(last)
                yield span

    def _said(self, span: Span) -> str:
        return self._text[span.start : span.end]

    def _is_public(self, word: str) -> bool:
        return any(part in self._lexicon.public for part in (folded(word), *folded(word).split("-")[:1]))

    def _is_word(self, word: str) -> bool:
        key = folded(word)
        return key in NO_NAMES or key in MONTHS or key in self._lexicon.common

    def _is_given(self, word: str) -> bool:
        """A given name and nothing else; of a double name, either half."""
        return not self._is_word(word) and any(
            (part in self._lists.given or part in self._lexicon.given)
            and part not in AMBIGUOUS
            and part not in self._lists.places
            for part in (folded(word), *folded(word).split("-")[:1])
        )

    def _is_family(self, word: str) -> bool:
        key = folded(word)
        return key in self._lists.family or key in self._lexicon.family or key in self._lexicon.given

    def _is_listed(self, word: str) -> bool:
        key = folded(word)
        if key in AMBIGUOUS or self._is_word(word) or self._is_public(word):
            return False
        return self._is_given(word) or (self._is_family(word) and key not in self._lists.places)

    def _may_be(self, word: str) -> bool:
        """Where a name is due, anything is one that is no word of the desk's."""
        if folded(word) in AMBIGUOUS:
            return folded(word) in self._lists.given or folded(word) in self._lists.family
        if self._is_given(word) or self._is_family(word):
            return folded(word) not in NO_NAMES and folded(word) not in MONTHS
        return not self._is_word(word) and not self._is_public(word)

    def _continues(self, word: str, end: int) -> bool:
        """Whether a capitalised word after a given name is a surname; in German it may well be the next noun."""
        if self._is_public(word) or folded(word) in NO_NAMES or folded(word) in MONTHS:
            return False
        if self._is_family(word) or self._is_given(word) or folded(word) in AMBIGUOUS:
            return True
        if self._is_word(word):
            return False
        return not self._german or not self._text.startswith(" ", end)
