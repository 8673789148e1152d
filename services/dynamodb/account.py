"""What holds for an account: its limits and its endpoint."""

from urllib.parse import urlsplit

from fogbank.services.context import Context, Input, Output
from fogbank.services.dynamodb.service import service

# AWS's default quotas: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
ACCOUNT_UNITS_MAX = 80_000
TABLE_UNITS_MAX = 40_000
ENDPOINT_CACHE_MINUTES = 1440


@service.operation("DescribeLimits")
async def describe_limits(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeLimits.html"""
    return {
        "AccountMaxReadCapacityUnits": ACCOUNT_UNITS_MAX,
        "AccountMaxWriteCapacityUnits": ACCOUNT_UNITS_MAX,
        "TableMaxReadCapacityUnits": TABLE_UNITS_MAX,
        "TableMaxWriteCapacityUnits": TABLE_UNITS_MAX,
    }


@service.operation("DescribeEndpoints")
async def describe_endpoints(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeEndpoints.html

    Ours, so that clients that discover their endpoint stay with us.
    """
    address = urlsplit(ctx.stack.endpoint).netloc
    return {"Endpoints": [{"Address": address, "CachePeriodInMinutes": ENDPOINT_CACHE_MINUTES}]}
