"""Codes by Usher, in place of the Celery tasks of the tutorial."""
import uuid

import requests
from django.conf import settings


def call(path, **body):
    answer = requests.post(settings.USHER_URL + '/v1/verifications' + path, json=body, timeout=10, headers={
        'Authorization': 'Bearer ' + settings.USHER_APP_KEY, 'Accept-Language': 'zh', 'Idempotency-Key': str(uuid.uuid4())}).json()
    if answer['errno'] != '0':
        raise ValueError(answer.get('fields') or answer['errmsg'])
    return answer['data']


def ccp_send_sms_code(mobile, ip):
    return call('', channel='sms', to=mobile, purpose='register', ip=ip)['id']


def send_register_active_email(email, ip):
    return call('', channel='email', to=email, purpose='activate', ip=ip)['id']


def check(id, code):
    return call('/%s/check' % id, code=code)['approved']
