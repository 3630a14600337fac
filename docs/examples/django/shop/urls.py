from django.urls import path

from users import views

urlpatterns = [
    path('', views.home),
    path('sms_codes/', views.send_sms_code),
    path('register/', views.register),
    path('email_codes/', views.send_email_code),
    path('email/', views.verify_email),
]
