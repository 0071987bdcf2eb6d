"""Django's defaults, and over them the settings of a lesson.

LOCKSTEP_E2E_SETTINGS holds a JSON object: the name of a setting, and its value as a Python literal.
"""
import ast
import json
import os

DEBUG = False
ROOT_URLCONF = "counter"
INSTALLED_APPS = ["django.contrib.sessions"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["LOCKSTEP_E2E_DATABASE"]}}

# What startproject writes, without the parts that need accounts and messages.
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

for _name, _literal in json.loads(os.environ["LOCKSTEP_E2E_SETTINGS"]).items():
    globals()[_name] = ast.literal_eval(_literal)
