// Records one charge. Arguments: the address of the service, and a request id.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	chargev1 "example.com/charge-client/charge/v1"
)

// gRPC itself repeats a call that failed in one of these ways, with the same request id. So it never makes a second
// charge, even if the first attempt was recorded and only its answer was lost.
const serviceConfig = `{"methodConfig": [{
  "name": [{"service": "charge.v1.ChargeService"}],
  "retryPolicy": {
    "maxAttempts": 5, "initialBackoff": "0.2s", "maxBackoff": "5s", "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "INTERNAL"]
  }
}]}`

func main() {
	address, requestID := os.Args[1], os.Args[2]
	connection, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(serviceConfig))
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	response, err := chargev1.NewChargeServiceClient(connection).CreateCharge(ctx, &chargev1.CreateChargeRequest{
		RequestId: requestID,
		Charge: &chargev1.Charge{
			UserProfile:      "alice",
			Provider:         chargev1.Provider_PROVIDER_OPENAI,
			ChargeType:       chargev1.ChargeType_CHARGE_TYPE_COMPLETION,
			Model:            "gpt-4o",
			PromptTokens:     374,
			CompletionTokens: 44,
		},
	})
	if err != nil {
		log.Fatal(err) // Keep the request, and send it again later with the same request id.
	}
	fmt.Printf("charge %s, replayed: %t\n", response.Charge.Id, response.Replayed)
}
