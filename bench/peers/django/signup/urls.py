"""All addresses."""

from django.urls import path

from . import views

urlpatterns = [
    path('ready/', views.ready),
    path('image_codes/<uuid:image_code_id>/', views.image_code),
    path('sms_codes/<str:mobile>/', views.sms_code),
    path('usernames/<str:username>/count/', views.username_count),
    path('mobiles/<str:mobile>/count/', views.mobile_count),
    path('register/', views.register),
]
