"""Records one charge. Arguments: the address of the service, and a request id."""

import json
import sys

import grpc

from charge.v1 import charge_pb2, charge_service_pb2, charge_service_pb2_grpc

# gRPC itself repeats a call that failed in one of these ways, with the same request id. So it never makes a second
# charge, even if the first attempt was recorded and only its answer was lost.
SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [{"service": "charge.v1.ChargeService"}],
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "0.2s",
                "maxBackoff": "5s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "INTERNAL"],
            },
        }
    ]
}


def main(address: str, request_id: str) -> None:
    options = [("grpc.service_config", json.dumps(SERVICE_CONFIG))]
    with grpc.insecure_channel(address, options=options) as channel:
        stub = charge_service_pb2_grpc.ChargeServiceStub(channel)
        request = charge_service_pb2.CreateChargeRequest(
            request_id=request_id,
            charge=charge_pb2.Charge(
                user_profile="alice",
                provider=charge_pb2.PROVIDER_OPENAI,
                charge_type=charge_pb2.CHARGE_TYPE_COMPLETION,
                model="gpt-4o",
                prompt_tokens=374,
                completion_tokens=44,
            ),
        )
        # If this raises grpc.RpcError, keep the request, and send it again later with the same request id.
        response = stub.CreateCharge(request, timeout=20)
        print(f"charge {response.charge.id}, replayed: {str(response.replayed).lower()}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
