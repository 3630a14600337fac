"""What workers do: one call of the SMS vendor, or one mail."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from urllib.parse import quote, urlencode

import urllib3
from celery import shared_task
from django.conf import settings
from django.core import signing
from django.core.mail import send_mail

# Live connections, one for each thread of a worker; the tutorials' client connects for each message.
pool = urllib3.PoolManager(maxsize=100)


def signed(params):
    """Return the parameters as a query that is signed as Aliyun's older interface wants it."""
    query = urlencode(sorted(params.items()), quote_via=quote, safe='~')
    text = 'POST&%2F&' + quote(query, safe='~')
    key = (settings.VENDOR_KEY_SECRET + '&').encode()
    mac = hmac.new(key, text.encode(), hashlib.sha1).digest()
    return query + '&Signature=' + quote(base64.b64encode(mac), safe='')


@shared_task(bind=True, max_retries=3, default_retry_delay=5)
def send_sms_code(self, mobile, code):
    """Have the vendor send a code."""
    query = signed({
        'AccessKeyId': settings.VENDOR_KEY_ID, 'Action': 'SendSms', 'Format': 'JSON', 'PhoneNumbers': mobile,
        'RegionId': 'cn-hangzhou', 'SignName': '测试签名', 'SignatureMethod': 'HMAC-SHA1',
        'SignatureNonce': uuid.uuid4().hex, 'SignatureVersion': '1.0', 'TemplateCode': 'SMS_71390007',
        'TemplateParam': json.dumps({'code': code}),
        'Timestamp': time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime()), 'Version': '2017-05-25',
    })
    try:
        response = pool.request('POST', settings.VENDOR_URL + '?' + query, timeout=10, retries=False)
        if json.loads(response.data)['Code'] != 'OK':
            raise ValueError('the vendor refuses: %s' % response.status)
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        raise self.retry(exc=error)


@shared_task(bind=True, max_retries=3, default_retry_delay=5)
def send_verify_mail(self, user_id, email):
    """Mail the link that proves an address."""
    link = 'https://signup.example/emails/verification/?token=' + signing.dumps({'id': user_id, 'email': email})
    html = '<p>%s</p><p><a href="%s">%s</a></p>' % ('激活链接 ' * 240, link, link)
    try:
        send_mail('激活您的账号', '激活链接 ' * 30 + link, None, [email], html_message=html)
    except OSError as error:
        raise self.retry(exc=error)
