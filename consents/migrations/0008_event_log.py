import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("consents", "0007_platform_merchant_names"),
    ]

    operations = [
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('platform_id', models.UUIDField()),
                ('sequence', models.PositiveBigIntegerField()),
                ('consent_id', models.UUIDField()),
                ('created_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='EventLog',
            fields=[
                ('platform', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to=settings.OAUTH2_PROVIDER_APPLICATION_MODEL)),
                ('last_sequence', models.PositiveBigIntegerField(default=0)),
                ('acknowledged_sequence', models.PositiveBigIntegerField(default=0)),
                ('acknowledged_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.AddField(
            model_name='event',
            name='noticed_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='event',
            name='spread_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddIndex(
            model_name='event',
            index=models.Index(condition=models.Q(('spread_at', None)), fields=['occurred_at'], name='event_not_spread'),
        ),
        migrations.AddIndex(
            model_name='event',
            index=models.Index(condition=models.Q(('noticed_at', None)), fields=['occurred_at'], name='event_not_noticed'),
        ),
        migrations.AddField(
            model_name='delivery',
            name='event',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='consents.event'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(fields=['created_at'], name='delivery_age'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.UniqueConstraint(fields=('platform_id', 'sequence'), name='delivery_in_order'),
        ),
    ]
