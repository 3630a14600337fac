"""The Celery application. Workers and gunicorn import it with the settings."""

import os

from celery import Celery
from celery.signals import worker_ready

os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'signup.settings')

app = Celery('signup')
app.config_from_object('django.conf:settings', namespace='CELERY')
app.autodiscover_tasks(['signup'])


@worker_ready.connect
def tell(**_):
    """Print a line that the bench waits for."""
    print('worker is ready', flush=True)
