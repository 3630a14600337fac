"""The endpoints. As in the tutorials, every answer has the status 200, and its code says whether it is a refusal."""

import json
import random
import re

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import IntegrityError
from django.http import HttpResponse, JsonResponse
from django_redis import get_redis_connection

from . import captcha, tasks

MOBILE = re.compile(r'1[3-9]\d{9}')
USERNAME = re.compile(r'[a-zA-Z0-9_-]{5,20}')
CAPTCHA_TTL, CODE_TTL, COOLDOWN = 300, 300, 60


def answer(code, message, **data):
    """Return a JSON answer; the code "0" is the good one."""
    return JsonResponse({'code': code, 'errmsg': message, **data})


def ready(_request):
    """Tell that gunicorn serves."""
    return answer('0', 'OK')


def image_code(_request, image_code_id):
    """Draw a captcha and keep its text."""
    text, png = captcha.picture()
    get_redis_connection().setex('img_%s' % image_code_id, CAPTCHA_TTL, text)
    return HttpResponse(png, content_type='image/png')


def sms_code(request, mobile):
    """Check the captcha, then keep a code and hand it to a worker."""
    if not MOBILE.fullmatch(mobile):
        return answer('4103', 'the mobile number is invalid')
    redis = get_redis_connection()
    if redis.get('send_flag_%s' % mobile):
        return answer('4301', 'wait a minute')
    if settings.CAPTCHA:
        key = 'img_%s' % request.GET.get('image_code_id')
        stored = redis.get(key)
        if stored is None:
            return answer('4201', 'the captcha has expired')
        redis.delete(key)
        if stored.decode().lower() != request.GET.get('text', '').lower():
            return answer('4202', 'the captcha is wrong')
    code = '%06d' % random.randint(0, 999999)
    pipeline = redis.pipeline()
    pipeline.setex('sms_%s' % mobile, CODE_TTL, code)
    pipeline.setex('send_flag_%s' % mobile, COOLDOWN, 1)
    pipeline.execute()
    tasks.send_sms_code.delay(mobile, code)
    return answer('0', 'OK')


def username_count(_request, username):
    """Count the accounts with a user name."""
    return answer('0', 'OK', count=get_user_model().objects.filter(username=username).count())


def mobile_count(_request, mobile):
    """Count the accounts with a mobile number."""
    return answer('0', 'OK', count=get_user_model().objects.filter(mobile=mobile).count())


def register(request):
    """Create an account with an address, and have a worker mail its link."""
    form = json.loads(request.body)
    if not USERNAME.fullmatch(form['username']) or not 8 <= len(form['password']) <= 20:
        return answer('4103', 'the user name or the password is invalid')
    if form['password'] != form['password2'] or not form['allow']:
        return answer('4103', 'the passwords differ, or the terms are not accepted')
    try:
        user = get_user_model().objects.create_user(form['username'], form['email'], form['password'])
    except IntegrityError:
        return answer('4003', 'the user name is taken')
    tasks.send_verify_mail.delay(user.id, user.email)
    return answer('0', 'OK', id=user.id)
