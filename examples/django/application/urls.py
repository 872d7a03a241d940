"""Which page is where."""

from django.urls import path
from people import views

urlpatterns = [
    path("", views.homepage),
    path("profile", views.profile, name="profile"),
    path("login", views.login, name="login"),
    path("logout", views.logout, name="logout"),
]
