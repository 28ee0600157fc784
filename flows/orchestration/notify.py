"""Notifies people by webhook, e-mail or command that a run failed, crashed or was cancelled.

params.yaml chooses the channels. Secret URLs and passwords are read from the environment variables
that it names. A message that cannot be delivered is logged as a warning.
"""

from __future__ import annotations

import json
import logging
import os
import smtplib
import ssl
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass
from email.message import EmailMessage

import httpx

from autorec_core.errors import ConfigError
from flows.config import EmailParams, NotifyParams, WebhookParams

logger = logging.getLogger(__name__)

SECONDS = 30.0


@dataclass(frozen=True)
class Message:
    """A notification about a run.

    Args:
        flow: Name of the flow.
        dataset: Data set of the run.
        run: Id of the run.
        name: Name of the run.
        state: Final state, such as "Failed".
        reason: Message of that state.
        link: URL of the run's page, or None if the server has no pages.
    """

    flow: str
    dataset: str
    run: str
    name: str
    state: str
    reason: str
    link: str | None

    @property
    def subject(self) -> str:
        """One line, for the subject of an e-mail or for a chat."""
        return f"AutoRec {self.dataset}: {self.flow} {self.state.lower()}"

    @property
    def text(self) -> str:
        """The whole message for people."""
        lines = [self.subject, self.reason, f"run {self.name} ({self.run})", self.link]
        return "\n".join(line for line in lines if line)


def notify(message: Message, params: NotifyParams) -> None:
    """Sends a message through every configured channel."""
    channels: list[tuple[str, Callable[[], None]]] = []
    if (webhook := params.webhook) is not None:
        channels.append(("webhook", lambda: _post(message, webhook)))
    if (email := params.email) is not None:
        channels.append(("e-mail", lambda: _mail(message, email)))
    if (command := params.command) is not None:
        channels.append(("command", lambda: _run(message, command)))
    for channel, send in channels:
        try:
            send()
        except (ConfigError, httpx.HTTPError, httpx.InvalidURL, OSError, smtplib.SMTPException,
                subprocess.SubprocessError) as error:  # fmt: skip
            logger.warning(
                "The %s about %s was not sent: %s", channel, message.name, _safe_text(error)
            )


def _post(message: Message, params: WebhookParams) -> None:
    content = {**asdict(message), "text": message.text}  # chat services show `text`
    answer = httpx.post(_secret(params.url_from), json=content, timeout=SECONDS)
    answer.raise_for_status()


def _mail(message: Message, params: EmailParams) -> None:
    mail = EmailMessage()
    mail["Subject"], mail["From"] = message.subject, params.sender
    mail["To"] = ", ".join(params.recipients)
    mail.set_content(message.text)
    context = ssl.create_default_context()
    server: smtplib.SMTP
    if params.security == "tls":
        server = smtplib.SMTP_SSL(params.host, params.port, timeout=SECONDS, context=context)
    else:
        server = smtplib.SMTP(params.host, params.port, timeout=SECONDS)
    with server:
        if params.security == "starttls":
            server.starttls(context=context)
        if params.user_from and params.password_from:
            server.login(_secret(params.user_from), _secret(params.password_from))
        server.send_message(mail)


def _run(message: Message, command: list[str]) -> None:
    content = json.dumps({**asdict(message), "text": message.text})
    subprocess.run(command, input=content, text=True, timeout=SECONDS, check=True)


def _secret(variable: str) -> str:
    value = os.environ.get(variable)
    if not value:
        raise ConfigError(f"the environment variable {variable} of params.yaml is not set")
    return value


def _safe_text(error: Exception) -> str:
    """Returns the text of an error without URLs, because the URL of a webhook is secret."""
    if isinstance(error, httpx.HTTPStatusError):
        return f"the receiver answered {error.response.status_code}"
    if isinstance(error, httpx.HTTPError | httpx.InvalidURL):
        return type(error).__name__
    return str(error)
