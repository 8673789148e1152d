from fogbank.services.registry import Service

service = Service("iam")
