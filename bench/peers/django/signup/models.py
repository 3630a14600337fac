"""The one table."""

from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """A person with a mobile number, who may still have to prove an address."""

    mobile = models.CharField(max_length=11, unique=True, null=True)
    email_active = models.BooleanField(default=False)
