import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [
        ('identity', '0002_membership_ended'),
        ('identity', '0003_sessions_and_history'),
    ]

    dependencies = [
        ('banks', '0001_tables'),
        ('identity', '0001_people'),
        migrations.swappable_dependency(settings.OAUTH2_PROVIDER_APPLICATION_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Membership',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('role', models.CharField(choices=[('BANK_ADMIN', 'Bank Admin'), ('PLATFORM_ADMIN', 'Platform Admin')], max_length=20)),
                ('institution', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='banks.institution')),
                ('platform', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.OAUTH2_PROVIDER_APPLICATION_MODEL)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('institution__isnull', False), ('platform', None), ('role', 'BANK_ADMIN')), models.Q(('institution', None), ('platform__isnull', False), ('role', 'PLATFORM_ADMIN')), _connector='OR'), name='membership_of_one'), models.UniqueConstraint(condition=models.Q(('ended_at', None)), fields=('user', 'institution'), name='membership_of_bank_once'), models.UniqueConstraint(condition=models.Q(('ended_at', None)), fields=('user', 'platform'), name='membership_of_platform_once')],
            },
        ),
        migrations.CreateModel(
            name='SecurityRecord',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('kind', models.CharField(choices=[('SIGNED_IN', 'Signed In'), ('SIGN_IN_FAILED', 'Sign In Failed'), ('FACTOR_FAILED', 'Factor Failed'), ('FACTOR_ADDED', 'Factor Added'), ('FACTOR_REMOVED', 'Factor Removed'), ('RECOVERY_CODES_MADE', 'Recovery Codes Made'), ('PASSWORD_CHANGED', 'Password Changed')], max_length=20)),
                ('occurred_at', models.DateTimeField()),
                ('address', models.GenericIPAddressField(null=True)),
                ('user_agent', models.CharField(blank=True, max_length=300)),
            ],
            options={
                'indexes': [models.Index(fields=['user', '-occurred_at'], name='security_record_by_user')],
            },
        ),
        migrations.CreateModel(
            name='UserSession',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('started_at', models.DateTimeField()),
                ('last_seen_at', models.DateTimeField()),
                ('address', models.GenericIPAddressField(null=True)),
                ('user_agent', models.CharField(blank=True, max_length=300)),
                ('ended_at', models.DateTimeField(null=True)),
            ],
            options={
                'indexes': [models.Index(fields=['user', '-last_seen_at'], name='user_session_by_user')],
            },
        ),
    ]
