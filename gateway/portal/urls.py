"""Addresses of the portal: the user's pages, as `portal:...`."""

from django.urls import path

from gateway.portal import consents, dev_mail, links, notices
from gateway.portal.connect import ask, bank, choice, confirm, done
from gateway.portal.download import pages as download

app_name = "portal"

urlpatterns = [
    path("", consents.consent_list, name="consents"),
    path("consents/<uuid:consent_id>/", consents.consent_detail, name="consent"),
    path("consents/<uuid:consent_id>/stop/", consents.stop, name="stop"),
    path("links/", links.link_list, name="links"),
    path("links/<uuid:connection_id>/renew/", links.renew, name="renew"),
    path("notices/", notices.notice_list, name="notices"),
    path("download/", download.download, name="download"),
    path("download/<uuid:job_id>/sluice-data.zip", download.download_file, name="download_file"),
    path("dev/mail", dev_mail.dev_mail, name="dev_mail"),
    path("connect/<uuid:consent_id>/", ask.ask, name="connect"),
    path("connect/<uuid:consent_id>/bank/", bank.choose, name="bank"),
    path("connect/<uuid:consent_id>/bank/<slug:slug>/", bank.announce, name="redirect"),
    path("connect/<uuid:consent_id>/accounts/", choice.choose, name="accounts"),
    path("connect/<uuid:consent_id>/confirm/", confirm.confirm, name="confirm"),
    path("connect/<uuid:consent_id>/refuse/", ask.refuse, name="refuse"),
    path("connect/<uuid:consent_id>/done/", done.done, name="done"),
    path("connect/<uuid:consent_id>/return/", done.return_to_platform, name="return"),
    path("banks/<slug:slug>/callback", bank.callback, name="callback"),
]
