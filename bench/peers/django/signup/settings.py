"""Settings for production; what differs from run to run comes from the environment."""

import os

DEBUG = False
SECRET_KEY = os.environ['PEER_SECRET_KEY']
ALLOWED_HOSTS = ['*']
ROOT_URLCONF = 'signup.urls'
INSTALLED_APPS = ['django.contrib.auth', 'django.contrib.contenttypes', 'signup']
# Nothing here has a session or a form, so their middleware would only cost time.
MIDDLEWARE = ['django.middleware.common.CommonMiddleware']
AUTH_USER_MODEL = 'signup.User'
DEFAULT_AUTO_FIELD = 'django.db.models.BigAutoField'
USE_TZ = True

DATABASES = {'default': {
    'ENGINE': 'django.db.backends.postgresql',
    'HOST': os.environ['PEER_DATABASE_HOST'],
    'PORT': os.environ['PEER_DATABASE_PORT'],
    'USER': os.environ['PEER_DATABASE_USER'],
    'NAME': os.environ['PEER_DATABASE_NAME'],
    'CONN_MAX_AGE': None,  # a new connection for each request would cost more than the look-up
}}

REDIS_URL = os.environ['PEER_REDIS_URL']
CACHES = {'default': {'BACKEND': 'django_redis.cache.RedisCache', 'LOCATION': REDIS_URL + '/2'}}

# PBKDF2 is Django's default.
HASHER = os.environ.get('PEER_HASHER', 'PBKDF2')
PASSWORD_HASHERS = ['django.contrib.auth.hashers.%sPasswordHasher' % HASHER]

CAPTCHA = os.environ.get('PEER_CAPTCHA') == 'on'

CELERY_BROKER_URL = REDIS_URL + '/3'
CELERY_TASK_IGNORE_RESULT = True

VENDOR_URL = os.environ['PEER_VENDOR_URL']
VENDOR_KEY_ID = os.environ['PEER_VENDOR_KEY_ID']
VENDOR_KEY_SECRET = os.environ['PEER_VENDOR_KEY_SECRET']

EMAIL_HOST = os.environ['PEER_SMTP_HOST']
EMAIL_PORT = int(os.environ['PEER_SMTP_PORT'])
EMAIL_HOST_USER = DEFAULT_FROM_EMAIL = os.environ['PEER_SMTP_USERNAME']
EMAIL_HOST_PASSWORD = os.environ['PEER_SMTP_PASSWORD']
EMAIL_USE_TLS = True
