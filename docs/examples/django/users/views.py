import json

from django.contrib.auth import get_user_model, login
from django.contrib.auth.decorators import login_required
from django.db import IntegrityError
from django.http import JsonResponse
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_GET, require_POST

from . import usher


@require_GET
@ensure_csrf_cookie
def home(request):
    user = request.user
    return JsonResponse({'user': user.get_username(), 'mobile': getattr(user, 'mobile', ''), 'email_active': getattr(user, 'email_active', False)})


def send(request, field, task):
    """Has a code sent, and keeps in the session what it is for: the form that comes with the code cannot name another number."""
    to = json.loads(request.body).get(field, '')
    try:
        request.session[field] = {'to': to, 'id': task(to, request.META['REMOTE_ADDR'])}
    except ValueError as refused:
        return JsonResponse({'error': refused.args[0]}, status=400)
    return JsonResponse({'sent': True})


def proved(request, field, code):
    """Returns the number or address of the session if the code is right, else None."""
    asked = request.session.get(field)
    try:
        return asked['to'] if asked and usher.check(asked['id'], code) else None
    except ValueError:
        return None


@require_POST
def send_sms_code(request):
    return send(request, 'mobile', usher.ccp_send_sms_code)


@require_POST
def register(request):
    form = json.loads(request.body)
    mobile = proved(request, 'mobile', form.get('sms_code', ''))
    if mobile is None:
        return JsonResponse({'error': '短信验证码错误或已过期'}, status=400)
    try:
        user = get_user_model().objects.create_user(form['username'], password=form['password'], mobile=mobile)
    except IntegrityError:
        return JsonResponse({'error': '用户名或手机号已注册'}, status=409)
    login(request, user)
    return JsonResponse({'user': user.get_username(), 'mobile': user.mobile}, status=201)


@require_POST
@login_required
def send_email_code(request):
    return send(request, 'email', usher.send_register_active_email)


@require_POST
@login_required
def verify_email(request):
    email = proved(request, 'email', json.loads(request.body).get('code', ''))
    if email is None:
        return JsonResponse({'error': '邮件验证码错误或已过期'}, status=400)
    request.user.email, request.user.email_active = email, True
    request.user.save(update_fields=['email', 'email_active'])
    return JsonResponse({'email': email, 'email_active': True})
