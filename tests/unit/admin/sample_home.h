#pragma once

#include "server/admin/administration.h"
#include "server/home/server_home.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/ledger/samples.h"

namespace fl::test {

/// A clock that stands where it is put.
class StandingClock final : public Clock {
 public:
  Timestamp now() const override { return moment; }
  Timestamp moment = at(1'000'000);
};

/// A server's home with everything opened, and with the sample task's archive and weights in its blob store.
struct SampleHome {
  explicit SampleHome(std::uint16_t port = 7443) : SampleHome(settings(port)) {}
  explicit SampleHome(const server::ServerConfig& config)
      : home(server::ServerHome::create(folder / "home", config, SystemClock().now())),
        ledger(home.ledger_path()),
        blobs(home.blobs_path()),
        registry(ledger, blobs, home.signing_key()) {
    blobs.put(as_bytes("archive"));
    blobs.put(as_bytes(std::span<const float>(weights)));
  }

  static server::ServerConfig settings(std::uint16_t port) {
    server::ServerConfig config;
    config.listen = {"127.0.0.1", port};
    config.public_host = "example.org";
    return config;
  }

  TemporaryFolder folder;
  server::ServerHome home;
  server::Ledger ledger;
  server::BlobStore blobs;
  server::Registry registry;
  StandingClock clock;
  Weights weights{1, 2, 3, 4, 5, 6};
};

}  // namespace fl::test
