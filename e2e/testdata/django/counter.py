"""The app of the lesson: every path counts the visits of a session."""
from django.http import HttpResponse
from django.urls import re_path


def counter(request):
    visits = request.session.get("visits", 0) + 1
    request.session["visits"] = visits
    text = f"visit {visits}"
    response = HttpResponse(text + "\n", content_type="text/plain; charset=utf-8")
    # What only the site knows; Lockstep's own site tells it by its verdicts.
    response["X-Text"] = text
    response["X-Is-Secure"] = str(request.is_secure())
    response["X-Host"] = request.get_host()
    return response


urlpatterns = [re_path("", counter)]
