"""One HTTP exchange with a helpdesk: bounded in time and in size, and never with a stranger."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import requests
import urllib3
from requests.auth import AuthBase

from connectors.errors import DeskhandError, FatalError, RetriableError, SlowAnswerError

_CHUNK_BYTES = 65536
# What is read of an answer without success, so that its connection can be used again.
_DRAIN_BYTES, _DRAIN_S = 65536, 2.0


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it is sent, and sent again."""

    method: str
    url: str
    params: Mapping[str, str | int] | None
    json: object
    headers: Mapping[str, str]


class Transport:
    """A `requests` session.

    Args:
        timeout_s: How long to wait for a connection, and then for each next byte.
        answer_timeout_s: How long an answer may take from the request to its last byte. A time-out alone is only about
            the time between bytes, and those can come in singly for hours. (An answer's head is not under it: it is
            the body that is long.)
        max_bytes: More is not read of an answer, so that none can fill the memory.
    """

    def __init__(
        self,
        *,
        timeout_s: float,
        answer_timeout_s: float,
        max_bytes: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._timeout_s = timeout_s
        self._answer_timeout_s = answer_timeout_s
        self._max_bytes = max_bytes
        self._monotonic = monotonic
        self._session = _Session()
        self._session.headers["User-Agent"] = "deskhand/0.1 (+self-hosted)"
        # Those that are always there: what else `requests` would offer depends on what happens to be installed.
        self._session.headers["Accept-Encoding"] = "gzip, deflate"

    def close(self) -> None:
        """Closes the pooled connections."""
        self._session.close()

    def send(self, call: Call, authorization: str, what: str) -> tuple[requests.Response, bytes | DeskhandError]:
        """Sends a request and reads the answer.

        Args:
            authorization: The `Authorization` header's value.
            what: The request, for messages; without its query.

        Returns:
            The answer's status and headers, and its body, decompressed; in place of the body what went wrong with it:
            a SlowAnswerError, a RetriableError where it broke off, a FatalError where it is too big. The body of an
            answer without success is empty: it may hold customers' words, and nobody asks for it.

        Raises:
            SlowAnswerError: Nothing came in time.
            RetriableError: There is no connection, or it broke.
            FatalError: No request can be made of this.
        """
        end_at = self._monotonic() + self._answer_timeout_s
        try:
            response = self._session.request(
                call.method, call.url, params=call.params, json=call.json, timeout=self._timeout_s,
                allow_redirects=False, stream=True, headers={"Accept": "application/json", **call.headers},
                auth=_Header(authorization),
            )  # fmt: skip
        except requests.RequestException as error:
            raise _broken(error, what) from None
        if response.status_code >= 300:
            with suppress(DeskhandError):
                self._read(response, what, _DRAIN_BYTES, self._monotonic() + _DRAIN_S)
            return response, b""
        try:
            return response, self._read(response, what, self._max_bytes, end_at)
        except DeskhandError as error:
            return response, error

    def _read(self, response: requests.Response, what: str, max_bytes: int, end_at: float) -> bytes:
        chunks: list[bytes] = []
        size = 0
        try:
            # `iter_content` waits until a chunk is full; this gives what is there.
            while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
                chunks.append(chunk)
                size += len(chunk)
                if size > max_bytes:
                    raise FatalError(
                        f"{what} answered with more than {max_bytes / 1e6:g} MB; not read",
                        hint="check the helpdesk's address",
                    )
                if self._monotonic() > end_at:
                    raise SlowAnswerError(f"{what} was still answering when its time was up", hint="try again later")
        except urllib3.exceptions.ReadTimeoutError:
            raise SlowAnswerError(f"{what} stopped in the middle of its answer", hint="try again later") from None
        except urllib3.exceptions.HTTPError as error:
            raise RetriableError(
                f"the answer to {what} broke off ({type(error).__name__})", hint="check the network"
            ) from None
        finally:
            response.close()  # keeps the connection where the body was read to its end
        return b"".join(chunks)


class _Session(requests.Session):
    def get_redirect_target(self, _: object) -> None:
        """None ever: else `requests` reads a redirect's whole body, however big, even where it does not follow."""


@dataclass(frozen=True, slots=True)
class _Header(AuthBase):
    """Puts the credential on a request.

    As an object and not among the headers: those `requests` would overwrite with what ~/.netrc has for the host.
    """

    value: str

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self.value
        return request


def _broken(error: requests.RequestException, what: str) -> DeskhandError:
    # The library's own message may hold the address with its query.
    what = f"{what} did not answer ({type(error).__name__})"
    if isinstance(error, requests.ReadTimeout):
        return SlowAnswerError(what, hint="try again later")
    if isinstance(error, requests.Timeout | requests.ConnectionError):
        return RetriableError(what, hint="check the address and the network")
    return FatalError(what, hint="check the helpdesk's address")
