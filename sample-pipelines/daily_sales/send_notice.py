"""Tell people that a day's sales are ready: a mail, or a file in `outbox/` where no mail server is configured.

SMTP_URL is `smtp://user:password@host:587` (`smtps://` for TLS from the first byte); SMTP_HOST and SMTP_PORT will do
where no password is needed.
"""

import os
import smtplib
import socket
import ssl
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from email.utils import formatdate
from urllib.parse import SplitResult, unquote, urlsplit

from daily_sales.command_line import arguments
from daily_sales.home import place, replace
from daily_sales.warehouse import THIS_PART, transaction

SECONDS_TO_WAIT = 30
TOTALS = f"""
SELECT region, sum(orders), sum(units), sum(revenue_cents) FROM daily_sales WHERE {THIS_PART}
GROUP BY region ORDER BY region
"""
REJECTED = f"""
SELECT problem, count(*) FROM rejected_orders WHERE {THIS_PART} GROUP BY problem ORDER BY problem
"""


def main(day: str, region: str, recipient: str) -> None:
    """Write the notice, and send it or keep it."""
    message = EmailMessage()
    message["Subject"] = f"daily_sales is fresh: {day}"
    message["From"] = os.environ.get("NOTICE_FROM", "sales-pipeline@localhost")
    message["To"] = recipient
    message["Date"] = formatdate()
    # The same for each notice of the same day: whoever gets it twice can tell.
    message["Message-ID"] = f"<daily_sales-{day}-{region}@cronflow.example>"
    message.set_content("\n".join(report(day, region)) + "\n")
    if url := mail_server():
        send(message, url)
    else:
        kept = place("outbox", f"daily_sales-{day}-{region}.eml")
        replace(kept, message.as_string())
        print(f"no mail server is configured (SMTP_URL): the notice for {recipient} is in {kept}")


def report(day: str, region: str) -> Iterator[str]:
    """The notice's lines: a total for each region, and what was rejected."""
    part = {"day": day, "region": region}
    with transaction() as warehouse:
        totals, rejected = warehouse.execute(TOTALS, part).fetchall(), warehouse.execute(REJECTED, part).fetchall()
    yield f"Sales of {day}, by region:"
    yield ""
    for name, orders, units, cents in totals:
        yield f"  {name:<8}{orders:>6} orders{units:>7} units{cents / 100:>14,.2f} EUR"
    yield ""
    yield f"{sum(count for _, count in rejected)} rows were rejected."
    yield from (f"  {count:>4}  {problem}" for problem, count in rejected)


def mail_server() -> str:
    """Its URL, or nothing where none is configured."""
    host, port = os.environ.get("SMTP_HOST"), os.environ.get("SMTP_PORT", "25")
    return os.environ.get("SMTP_URL") or (f"smtp://{host}:{port}" if host else "")


def send(message: EmailMessage, url: str) -> None:
    """Hand the mail over, or end the program with the reason."""
    server = urlsplit(url)
    try:
        with connect(server) as session:
            log_in(session, server)
            session.send_message(message)
    except ValueError:
        sys.exit("SMTP_URL must be like smtp://user:password@host:587, or smtps://…")
    except (OSError, smtplib.SMTPException) as error:
        sys.exit(f"the mail server {server.hostname} did not take the notice: {error}")
    print(f"sent to {message['To']} by way of {server.hostname}")


def connect(server: SplitResult) -> smtplib.SMTP:
    """A session with the server."""
    if server.scheme not in ("smtp", "smtps") or not server.hostname:
        raise ValueError(server.scheme)
    # Named here because smtplib would ask a name server for this machine's full name, and may wait for it.
    where = (server.hostname, server.port or 0, socket.gethostname())
    if server.scheme == "smtps":
        return smtplib.SMTP_SSL(*where, timeout=SECONDS_TO_WAIT, context=ssl.create_default_context())
    return smtplib.SMTP(*where, timeout=SECONDS_TO_WAIT)


def log_in(session: smtplib.SMTP, server: SplitResult) -> None:
    """Where there is a user. A password never goes over a line that is not encrypted."""
    if server.username:
        if server.scheme == "smtp":
            session.starttls(context=ssl.create_default_context())
        session.login(unquote(server.username), unquote(server.password or ""))


if __name__ == "__main__":
    main(*arguments("DAY", "REGION", "RECIPIENT"))
