import com.charge.v1.Charge;
import com.charge.v1.ChargeServiceGrpc;
import com.charge.v1.ChargeType;
import com.charge.v1.CreateChargeRequest;
import com.charge.v1.CreateChargeResponse;
import com.charge.v1.Provider;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** Records one charge. Arguments: the address of the service, and a request id. */
public final class Record {
  // gRPC itself repeats a call that failed in one of these ways, with the same request id. So it never makes a second
  // charge, even if the first attempt was recorded and only its answer was lost.
  private static final Map<String, ?> SERVICE_CONFIG =
      Map.of(
          "methodConfig",
          List.of(
              Map.of(
                  "name", List.of(Map.of("service", "charge.v1.ChargeService")),
                  "retryPolicy",
                      Map.of(
                          "maxAttempts", 5.0,
                          "initialBackoff", "0.2s",
                          "maxBackoff", "5s",
                          "backoffMultiplier", 2.0,
                          "retryableStatusCodes",
                              List.of("UNAVAILABLE", "RESOURCE_EXHAUSTED", "INTERNAL")))));

  public static void main(String[] args) throws InterruptedException {
    ManagedChannel channel =
        Grpc.newChannelBuilder(args[0], InsecureChannelCredentials.create())
            .defaultServiceConfig(SERVICE_CONFIG)
            .enableRetry()
            .build();
    try {
      CreateChargeRequest request =
          CreateChargeRequest.newBuilder()
              .setRequestId(args[1])
              .setCharge(
                  Charge.newBuilder()
                      .setUserProfile("alice")
                      .setProvider(Provider.PROVIDER_OPENAI)
                      .setChargeType(ChargeType.CHARGE_TYPE_COMPLETION)
                      .setModel("gpt-4o")
                      .setPromptTokens(374)
                      .setCompletionTokens(44))
              .build();
      // If this throws StatusRuntimeException, keep the request, and send it again later with the same request id.
      CreateChargeResponse response =
          ChargeServiceGrpc.newBlockingStub(channel)
              .withDeadlineAfter(20, TimeUnit.SECONDS)
              .createCharge(request);
      System.out.printf("charge %s, replayed: %b%n", response.getCharge().getId(), response.getReplayed());
    } finally {
      channel.shutdown().awaitTermination(5, TimeUnit.SECONDS);
    }
  }
}
