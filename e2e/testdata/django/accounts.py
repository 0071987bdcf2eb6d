"""A site with accounts: Django's own login, and pages with other forms."""
from django.contrib.auth import views
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect
from django.template import engines
from django.urls import path

USER, PASSWORD = "alice", "correct horse é&=+"

if not User.objects.filter(username=USER).exists():
    User.objects.create_user(USER, password=PASSWORD)

LOGIN = "<form method=post action='%s'>{%% csrf_token %%}<input name=q type=hidden>" \
    "<input name=username autocomplete=username><input name=password type=password><button>Log in</button></form>"
SEARCH = "<form action=/search><input name=q></form>"


def page(markup):
    def view(request):
        return HttpResponse(engines["django"].from_string(markup).render({}, request))
    return view


def home(request):
    return HttpResponse(f"hello {request.user.get_username() or 'stranger'}")


class Login(views.LoginView):
    def render_to_response(self, context, **kwargs):
        markup = "<!doctype html>" + SEARCH + "<form method=post>{% csrf_token %}{{ form.as_p }}" \
            "<input type=hidden name=next value='{{ next }}'><button>Log in</button></form>"
        return HttpResponse(engines["django"].from_string(markup).render(context, self.request))


urlpatterns = [
    path("", home),
    path("accounts/login/", Login.as_view()),
    path("search", page(SEARCH)),
    path("two/", page((LOGIN % "/accounts/login/").replace("<form", "<form id=main") + (LOGIN % "/other/").replace("<form", "<form id=other"))),
    path("http/", page(LOGIN % "http://shop.test/accounts/login/")),
    path("elsewhere/", page(LOGIN % "https://evil.test/")),
    path("notoken/", lambda r: HttpResponse((LOGIN % "/accounts/login/").replace("{% csrf_token %}", "").replace("%%", "%"))),
    path("moved/", lambda r: redirect("https://login.test/accounts/login/")),
    path("handed/", page(LOGIN % "/handed/on/")),
    path("handed/on/", lambda r: get_token(r) and HttpResponse(status=307, headers={"Location": "https://evil.test/"})),
]
