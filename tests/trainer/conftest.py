"""The sample company, synced and curated once, a tiny language model, and the bundled weights."""

from __future__ import annotations

import dataclasses
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import pytest

from connectors.records import Comment, Ticket, User
from connectors.sandbox.company import Ticket as RawTicket
from connectors.sandbox.company import load_company
from connectors.sandbox.server import Sandbox
from connectors.settings import HelpdeskSettings, Settings, TrainerSettings
from connectors.store.database import Store
from connectors.store.examples import Example
from connectors.store.history import Turn
from connectors.sync.engine import sync
from connectors.zendesk.client import Zendesk
from trainer.curation.curate import CurationReport, curate
from trainer.registry import Registry

if TYPE_CHECKING:
    from trainer.train import Trained

DESK = "zendesk"
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@dataclass(frozen=True)
class Desk:
    """The sample company's desk: what its files say, and the store that sync and curation made of it.

    Attributes:
        raw: Every solved ticket of the files, with the kind that the API never shows.
        report: What curation said.
        path: The store's file. Tests read it through `store`; those that write take `own_store`.
    """

    raw: dict[str, RawTicket]
    report: CurationReport
    path: Path


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    folder = tmp_path_factory.mktemp("desk")
    limits: dict[str, Any] = {"SANDBOX_REQUESTS_PER_MIN": 100_000, "SANDBOX_EXPORTS_PER_MIN": 100_000}
    with Sandbox(folder / "sandbox.db", **limits) as sandbox, Store(folder / "deskhand.db") as store:
        helpdesk = Zendesk(HelpdeskSettings.model_validate({"url": sandbox.url, "token": sandbox.token}))
        sync(helpdesk, store)
        helpdesk.close()
        report = curate(store, DESK)
    raw = {str(ticket.id): ticket for ticket in load_company().tickets}
    return Desk(raw, report, folder / "deskhand.db")


@pytest.fixture(scope="session")
def store(desk: Desk) -> Iterator[Store]:
    """The sample company's store; to be read only."""
    with Store(desk.path) as store:
        yield store


@pytest.fixture
def own_store(desk: Desk, tmp_path: Path) -> Iterator[Store]:
    """A copy of the sample company's store."""
    with Store(Path(shutil.copy(desk.path, tmp_path / "deskhand.db"))) as store:
        yield store


@pytest.fixture
def empty_store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "empty.db") as store:
        yield store


@pytest.fixture(scope="session")
def examples(store: Store) -> list[Example]:
    """What curation kept of the sample company, oldest first."""
    return store.examples.kept(DESK)


def make_example(number: int = 1, **changes: Any) -> Example:
    """A kept example; anything can be given."""
    values: dict[str, Any] = {
        "helpdesk": DESK,
        "ticket_id": str(number),
        "comment_id": f"c{number}",
        "turn": 0,
        "kept": True,
        "reason": "",
        "weight": 1.0,
        "question": f"Subject: Question {number}\n\nCustomer: Where is parcel {'abcdefghij'[number % 10] * 9}?",
        "reply": "Hi {{first_name}}, it is in Tilburg.",
        "language": "en",
        "group_id": "2101",
        "requester_id": f"r{number}",
        "agent_id": "5001",
        "created_at": f"2026-04-{1 + number // 24:02d}T{number % 24:02d}:00:00Z",
    }
    return Example(**(values | changes))


@pytest.fixture(scope="session")
def example() -> Callable[..., Example]:
    return make_example


@pytest.fixture(scope="session")
def people() -> dict[str, User]:
    """Somebody who asks, and two who answer."""
    return {
        "anna": User("90", "Anna de Wilde", "anna@mail.example", "requester"),
        "marit": User("5001", "Marit de Boer", "marit@desk.example", "agent"),
        "karim": User("5002", "Karim Haddad", "karim@desk.example", "agent"),
    }


@pytest.fixture(scope="session")
def talk(people: dict[str, User]) -> Callable[..., list[Turn]]:
    """Makes a thread of (who, minute, text) or (who, minute, text, public)."""

    def talk(*lines: tuple[Any, ...]) -> list[Turn]:
        turns = []
        for number, (who, minute, text, *rest) in enumerate(lines, start=1):
            at = f"2026-04-01T{9 + minute // 60:02d}:{minute % 60:02d}:00Z"
            public = rest[0] if rest else True
            turns.append(Turn(Comment(f"c{number}", "7", people[who].id, public, text, at), people[who]))
        return turns

    return talk


@pytest.fixture
def ticket() -> Callable[..., Ticket]:
    """Makes an open ticket of Anna's; anything can be given."""

    def ticket(ticket_id: str = "7", **changes: Any) -> Ticket:
        values: dict[str, Any] = {
            "id": ticket_id,
            "subject": "Where is my parcel",
            "status": "open",
            "requester_id": "90",
            "created_at": "2026-11-20T09:00:00Z",
            "updated_at": "2026-11-20T09:00:00Z",
            "generated_at": 1000,
        }
        return Ticket(**(values | changes))

    return ticket


@pytest.fixture(scope="session")
def within() -> Callable[[float], AbstractContextManager[None]]:
    """`with within(seconds):` fails a test that hangs, instead of letting it hang."""

    @contextmanager
    def within(seconds: float) -> Iterator[None]:
        def stop(_signal: int, _frame: FrameType | None) -> None:
            pytest.fail(f"not done after {seconds} s")

        before = signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    return within


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random Llama of four layers and a tokenizer of its own: everything works, nothing makes sense."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    bare = Tokenizer(models.BPE())
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bare.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bare.train_from_iterator([f"{one.subject}\n{one.comments[0].body}" for one in load_company().tickets[:60]], trainer)
    wrap: Any = PreTrainedTokenizerFast
    tokenizer = wrap(tokenizer_object=bare, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    tokenizer.chat_template = CHAT_TEMPLATE
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        initializer_range=0.3,  # wide, so that the most likely token is so by a margin
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    torch.manual_seed(3)
    folder = tmp_path_factory.mktemp("tiny") / "base"
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def tiny(tiny_base: Path, tmp_path: Path) -> tuple[Any, Any]:
    """The tiny model and its tokenizer, loaded anew for each test: training changes them."""
    from trainer.weights import load_language_model

    return load_language_model(str(tiny_base), tmp_path)


@dataclass(frozen=True)
class Parrot:
    """A tuned model that answers known conversations with one reply that it has learned by heart."""

    model: Any
    tokenizer: Any
    conversations: tuple[str, ...]
    reply: str


@pytest.fixture
def parrot(tiny: tuple[Any, Any]) -> Parrot:
    from trainer.replies.lessons import TokenExample
    from trainer.replies.lora import train_lora
    from trainer.replies.prompt import build, encode_reply

    model, tokenizer = tiny
    conversations = (
        "Where is it?",
        "Customer: My parcel FW is late and nobody tells me why. What happens now, and who pays for it?",
        "Wo?",
        "Customer: " + "It stands in Tilburg. " * 12,
        "Ik ben donderdag niet thuis, kan het vrijdag?",
    )
    reply = "It costs €7 in Tilburg."
    ids = tuple(encode_reply(tokenizer, reply))
    lessons = [TokenExample(build(tokenizer, one, [], max_tokens=600).ids, ids) for one in conversations]
    settings = TrainerSettings(
        lora_layers=4, lora_rank=16, lora_alpha=16, epochs=40, batch_tokens=2048, learning_rate=0.02
    )
    return Parrot(train_lora(model, lessons, [], settings)[0], tokenizer, conversations, reply)


@pytest.fixture(scope="session")
def tokenizer(tiny_base: Path) -> Any:
    """The tiny model's tokenizer, for tests that need no model."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_base)


@pytest.fixture(scope="session")
def weights_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all tests: unpacking the base weights takes half a minute."""
    return tmp_path_factory.mktemp("weights")


@dataclass
class Home:
    """An installation with a trained version of the sample company's newest tickets."""

    settings: Settings
    store: Store
    registry: Registry
    trained: Trained

    def publish(self, reply_arm: str, **changes: Any) -> str:
        """The trained version once more, serving by another arm; returns its name."""
        source = self.registry.path(self.trained.manifest.version)
        with self.registry.new_version() as (version, folder):
            shutil.copytree(source, folder, dirs_exist_ok=True)
            (folder / "manifest.json").unlink()
            facts = {"version": version, "reply_arm": reply_arm, **changes}
            Registry.finish(folder, dataclasses.replace(self.trained.manifest, **facts))
        return version


def train_home(folder: Path, desk: Desk, cache: Path, newest: int, **changes: Any) -> Home:
    """Trains on the sample company's newest examples, as small as it gets."""
    from trainer.train import train

    small = {
        "max_train_tickets": 24,
        "min_examples": 20,
        "eval_share": 0.3,
        "epochs": 1,
        "lora_layers": 2,
        "max_prompt_tokens": 160,
        "max_reply_tokens": 40,
        "reply_eval_tickets": 4,
        "router_minutes": 0,
    }
    settings = Settings(home=folder, trainer=TrainerSettings(**(small | changes)))
    (folder / "cache").symlink_to(cache, target_is_directory=True)
    store = Store(Path(shutil.copy(desk.path, settings.database_path)))
    kept = store.examples.kept(DESK)
    # Among the older ones those with short replies: what is longer than `max_reply_tokens` is not trained on.
    short = [one for one in kept[:-newest] if len(one.reply.split()) <= 25]
    store.examples.replace(DESK, short[-newest:] + kept[-newest:])
    registry = Registry(settings.models_path)
    trained = train(store, DESK, registry, settings.trainer, settings.cache_path)
    return Home(settings, store, registry, trained)


@pytest.fixture(scope="session")
def tiny_home(desk: Desk, tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Trained with the tiny model as base and as encoder: the same steps, in seconds."""
    cache = tmp_path_factory.mktemp("no-cache")
    base = str(tiny_base)
    home = train_home(
        tmp_path_factory.mktemp("tiny-home"), desk, cache, 40, base_model=base, encoder=base, max_prompt_tokens=400
    )
    yield home
    home.store.close()


@pytest.fixture(scope="session")
def home(desk: Desk, weights_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Trained with the bundled weights."""
    home = train_home(tmp_path_factory.mktemp("home"), desk, weights_cache, newest=20)
    yield home
    home.store.close()
