import django.db.models.deletion
import gateway.notify.models
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [
        ('notify', '0001_notice'),
    ]

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Notice',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('kind', models.CharField(choices=[(gateway.notify.models.NoticeKind['CONSENT_GRANTED'], gateway.notify.models.NoticeKind['CONSENT_GRANTED']), (gateway.notify.models.NoticeKind['CONSENT_NARROWED'], gateway.notify.models.NoticeKind['CONSENT_NARROWED']), (gateway.notify.models.NoticeKind['CONSENT_PAUSED'], gateway.notify.models.NoticeKind['CONSENT_PAUSED']), (gateway.notify.models.NoticeKind['CONSENT_RESUMED'], gateway.notify.models.NoticeKind['CONSENT_RESUMED']), (gateway.notify.models.NoticeKind['CONSENT_EXPIRING'], gateway.notify.models.NoticeKind['CONSENT_EXPIRING']), (gateway.notify.models.NoticeKind['CONSENT_EXPIRED'], gateway.notify.models.NoticeKind['CONSENT_EXPIRED']), (gateway.notify.models.NoticeKind['CONSENT_SUSPENDED'], gateway.notify.models.NoticeKind['CONSENT_SUSPENDED']), (gateway.notify.models.NoticeKind['CONSENT_REVOKED'], gateway.notify.models.NoticeKind['CONSENT_REVOKED']), (gateway.notify.models.NoticeKind['CONNECTION_LINKED'], gateway.notify.models.NoticeKind['CONNECTION_LINKED']), (gateway.notify.models.NoticeKind['CONNECTION_NEEDS_RENEWAL'], gateway.notify.models.NoticeKind['CONNECTION_NEEDS_RENEWAL']), (gateway.notify.models.NoticeKind['USAGE_SUMMARY'], gateway.notify.models.NoticeKind['USAGE_SUMMARY']), (gateway.notify.models.NoticeKind['DOWNLOAD_READY'], gateway.notify.models.NoticeKind['DOWNLOAD_READY']), (gateway.notify.models.NoticeKind['PROFILE_CLOSED'], gateway.notify.models.NoticeKind['PROFILE_CLOSED'])], max_length=30)),
                ('occasion', models.CharField(max_length=120)),
                ('consent_id', models.UUIDField(null=True)),
                ('institution_id', models.UUIDField(null=True)),
                ('details', models.JSONField(default=dict)),
                ('occurred_at', models.DateTimeField()),
                ('created_at', models.DateTimeField()),
                ('status', models.CharField(choices=[(gateway.notify.models.NoticeStatus['PENDING'], gateway.notify.models.NoticeStatus['PENDING']), (gateway.notify.models.NoticeStatus['LEASED'], gateway.notify.models.NoticeStatus['LEASED']), (gateway.notify.models.NoticeStatus['SENT'], gateway.notify.models.NoticeStatus['SENT']), (gateway.notify.models.NoticeStatus['KEPT'], gateway.notify.models.NoticeStatus['KEPT']), (gateway.notify.models.NoticeStatus['FAILED'], gateway.notify.models.NoticeStatus['FAILED'])], default=gateway.notify.models.NoticeStatus['PENDING'], max_length=10)),
                ('epoch', models.PositiveIntegerField(default=0)),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('leases_lost', models.PositiveIntegerField(default=0)),
                ('lease_until', models.DateTimeField(null=True)),
                ('next_attempt_at', models.DateTimeField()),
                ('error_code', models.CharField(blank=True, max_length=40)),
                ('sent_at', models.DateTimeField(null=True)),
            ],
            options={
                'indexes': [models.Index(fields=['user', '-created_at'], name='notice_by_user'), models.Index(condition=models.Q(('status__in', [gateway.notify.models.NoticeStatus['PENDING'], gateway.notify.models.NoticeStatus['LEASED']])), fields=['next_attempt_at'], name='notice_due'), models.Index(fields=['consent_id', 'kind', '-occurred_at'], name='notice_by_consent'), models.Index(fields=['created_at'], name='notice_age')],
                'constraints': [models.UniqueConstraint(fields=('user', 'occasion'), name='notice_once')],
            },
        ),
    ]
