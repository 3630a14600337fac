# Sends an SMS through the sandbox's Aliyun and a mail, and reads both in the inbox: docs/sandbox.md.
import base64, hashlib, hmac, json, os, smtplib, ssl, time, urllib.parse, urllib.request, uuid
from email.message import EmailMessage

base = os.environ.get("SANDBOX_HTTP", "http://127.0.0.1:8083")
host, port = os.environ.get("SANDBOX_SMTP", "127.0.0.1:1025").split(":")
get = lambda path: urllib.request.urlopen(base + path).read().decode()
quote = lambda text: urllib.parse.quote(text, safe="-_.~")
keys = json.loads(get("/api/credentials"))
params = {
    "Action": "SendSms", "Version": "2017-05-25", "Format": "JSON", "AccessKeyId": keys["aliyun"]["access_key_id"],
    "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0", "SignatureNonce": str(uuid.uuid4()),
    "Timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "PhoneNumbers": "13800138000",
    "SignName": "测试", "TemplateCode": "SMS_71390001", "TemplateParam": json.dumps({"code": "012345"}),
}
query = "&".join(quote(name) + "=" + quote(params[name]) for name in sorted(params))
secret = keys["aliyun"]["access_key_secret"] + "&"
digest = hmac.new(secret.encode(), ("GET&%2F&" + quote(query)).encode(), hashlib.sha1).digest()
answer = json.loads(get("/aliyun/?" + query + "&Signature=" + quote(base64.b64encode(digest).decode())))
print("Aliyun:", answer["Code"])
mail = EmailMessage()
mail["From"], mail["To"], mail["Subject"] = "Shop <shop@example.com>", "reader@example.com", "Welcome"
mail.set_content("Your code is 4711.")
with smtplib.SMTP(host, int(port)) as server:
    server.starttls(context=ssl.create_default_context(cadata=get("/api/smtp-ca.pem")))
    server.login(keys["smtp"]["username"], keys["smtp"]["password"])
    server.send_message(mail)
for receiver in ["13800138000", "reader@example.com"]:
    print("Inbox:", json.loads(get("/api/messages?to=" + receiver))[-1]["code"])
