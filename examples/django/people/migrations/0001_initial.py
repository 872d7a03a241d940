from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = ()
    operations = (
        migrations.CreateModel(
            name="CasSession",
            fields=[
                ("ticket", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("session", models.CharField(max_length=40)),
            ],
        ),
    )
