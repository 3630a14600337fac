# Writes the users of a Django project as users.csv, for admin import-users (docs/from-django.md):
# python manage.py shell < export_users.py
import csv
from django.contrib.auth import get_user_model

columns = "username password mobile email is_active is_superuser email_active date_joined".split()
missing = {"mobile": "", "email_active": False}
with open("users.csv", "w", encoding="utf-8", newline="") as file:
    lines = csv.writer(file, lineterminator="\n")
    lines.writerow(columns)
    for user in get_user_model().objects.order_by("pk").iterator():
        lines.writerow([getattr(user, column, missing.get(column)) for column in columns])
