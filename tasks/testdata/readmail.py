# Prints what Python's mail parser makes of the mail on standard input, as JSON.
import json
import sys
from email import message_from_bytes, policy

mail = message_from_bytes(sys.stdin.buffer.read(), policy=policy.default)
sender, = mail["From"].addresses
receiver, = mail["To"].addresses
defects = [str(d) for part in mail.walk() for d in part.defects]
defects += [f"{name}: {d}" for name, header in mail.items() for d in header.defects]
json.dump({
    "subject": mail["Subject"],
    "from_name": sender.display_name,
    "from": sender.addr_spec,
    "to": receiver.addr_spec,
    "message_id": mail["Message-ID"],
    "types": [part.get_content_type() for part in mail.walk()],
    "text": mail.get_body(("plain",)).get_content(),
    "html": mail.get_body(("html",)).get_content(),
    "defects": defects,
}, sys.stdout)
