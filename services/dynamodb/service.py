"""DynamoDB's operations register here.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/Welcome.html
"""

from fogbank.services.registry import Service

service = Service("dynamodb")
