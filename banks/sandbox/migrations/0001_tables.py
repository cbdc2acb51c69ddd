import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [
        ('sandbox', '0001_first'),
        ('sandbox', '0002_a_clock_that_can_be_moved'),
        ('sandbox', '0003_memory_of_scenarios'),
    ]

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='AccountAccessConsent',
            fields=[
                ('consent_id', models.CharField(max_length=128, primary_key=True, serialize=False)),
                ('permissions', models.JSONField()),
                ('expiration', models.CharField(blank=True, max_length=40)),
                ('transaction_from', models.CharField(blank=True, max_length=40)),
                ('transaction_to', models.CharField(blank=True, max_length=40)),
                ('expires_at', models.DateTimeField(null=True)),
                ('status', models.CharField(choices=[('AWAU', 'Awaiting authorisation'), ('AUTH', 'Authorised'), ('RJCT', 'Rejected'), ('CANC', 'Cancelled'), ('EXPD', 'Expired')], default='AWAU', max_length=4)),
                ('status_updated_at', models.DateTimeField()),
                ('created_at', models.DateTimeField()),
                ('deleted_at', models.DateTimeField(null=True)),
                ('user', models.CharField(blank=True, max_length=40)),
                ('account_ids', models.JSONField(default=list)),
            ],
        ),
        migrations.CreateModel(
            name='Calendar',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('days_ahead', models.PositiveIntegerField(default=0)),
                ('seconds_ahead', models.PositiveBigIntegerField(db_default=0, default=0)),
                ('books_on', models.DateField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='Client',
            fields=[
                ('client_id', models.CharField(max_length=100, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=100)),
                ('jwks', models.JSONField()),
                ('redirect_uris', models.JSONField()),
            ],
        ),
        migrations.CreateModel(
            name='Fault',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('user', models.CharField(blank=True, max_length=40)),
                ('path_contains', models.CharField(blank=True, max_length=200)),
                ('effect', models.JSONField()),
                ('times_left', models.PositiveIntegerField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='Memory',
            fields=[
                ('user', models.CharField(max_length=40, primary_key=True, serialize=False)),
                ('began_on', models.DateField(null=True)),
                ('stage', models.PositiveSmallIntegerField(null=True)),
                ('seconds', models.FloatField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='RequestRecord',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('method', models.CharField(max_length=10)),
                ('path', models.CharField(max_length=500)),
                ('query_keys', models.JSONField(default=list)),
                ('status', models.PositiveSmallIntegerField()),
                ('client_id', models.CharField(blank=True, max_length=100)),
                ('consent_id', models.CharField(blank=True, max_length=128)),
                ('interaction_id', models.CharField(blank=True, max_length=128)),
                ('user', models.CharField(blank=True, max_length=40)),
                ('customer_present', models.BooleanField(default=False)),
                ('grant_type', models.CharField(blank=True, max_length=60)),
            ],
        ),
        migrations.CreateModel(
            name='AuthorizationRequest',
            fields=[
                ('id', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('redirect_uri', models.CharField(max_length=2000)),
                ('state', models.CharField(max_length=2000)),
                ('nonce', models.CharField(blank=True, max_length=255)),
                ('scope', models.CharField(max_length=100)),
                ('code_challenge', models.CharField(max_length=128)),
                ('expires_at', models.DateTimeField()),
                ('decided_at', models.DateTimeField(null=True)),
                ('consent', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='sandbox.accountaccessconsent')),
                ('client', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='sandbox.client')),
            ],
        ),
        migrations.CreateModel(
            name='AuthorizationCode',
            fields=[
                ('code_hash', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('family', models.UUIDField()),
                ('redirect_uri', models.CharField(max_length=2000)),
                ('nonce', models.CharField(blank=True, max_length=255)),
                ('scope', models.CharField(max_length=100)),
                ('code_challenge', models.CharField(max_length=128)),
                ('expires_at', models.DateTimeField()),
                ('used_at', models.DateTimeField(null=True)),
                ('consent', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='sandbox.accountaccessconsent')),
                ('client', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='sandbox.client')),
            ],
        ),
        migrations.AddField(
            model_name='accountaccessconsent',
            name='client',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='sandbox.client'),
        ),
        migrations.CreateModel(
            name='AccessToken',
            fields=[
                ('token_hash', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('family', models.UUIDField(db_index=True)),
                ('scope', models.CharField(max_length=100)),
                ('expires_at', models.DateTimeField(db_index=True)),
                ('revoked_at', models.DateTimeField(null=True)),
                ('consent', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, to='sandbox.accountaccessconsent')),
                ('client', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='sandbox.client')),
            ],
        ),
        migrations.CreateModel(
            name='RefreshToken',
            fields=[
                ('token_hash', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('family', models.UUIDField(db_index=True)),
                ('scope', models.CharField(max_length=100)),
                ('used_at', models.DateTimeField(null=True)),
                ('revoked_at', models.DateTimeField(null=True)),
                ('client', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='sandbox.client')),
                ('consent', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='sandbox.accountaccessconsent')),
            ],
        ),
        migrations.CreateModel(
            name='Tally',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('user', models.CharField(max_length=40)),
                ('consent_id', models.CharField(blank=True, max_length=128)),
                ('what', models.CharField(max_length=120)),
                ('count', models.PositiveIntegerField(default=0)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('user', 'consent_id', 'what'), name='one_tally_for_each')],
            },
        ),
        migrations.CreateModel(
            name='UsedAssertion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('jti_hash', models.CharField(max_length=64)),
                ('expires_at', models.DateTimeField(db_index=True)),
                ('client', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='sandbox.client')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('client', 'jti_hash'), name='assertion_used_once')],
            },
        ),
    ]
