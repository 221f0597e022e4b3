#include "tests/bench/bare_tls.h"
#include "tests/bench/beside.h"
#include "tests/unit/net/loopback.h"

namespace {

using namespace fl;

constexpr std::size_t transfer = std::size_t{64} << 20U;

test::Task<> send_all(net::Connection& connection, ByteView chunk) {
  for (std::size_t sent = 0; sent < transfer; sent += chunk.size()) {
    co_await connection.write_chunk(chunk, test::Loopback::limit);
  }
}

test::Task<> receive_all(net::Connection& connection) {
  for (std::size_t received = 0; received < transfer;) {
    const wire::Frame frame = co_await connection.read_frame(test::Loopback::limit);
    received += frame.payload.size();
  }
}

/// Bytes a second through a Connection, both ends on one thread. The limit: OpenSSL alone.
void connection(benchmark::State& state) {
  const test::Fleet fleet;
  test::Loopback loopback;
  test::Pair pair(loopback, fleet);
  fl::bench::BareTls bare(fleet);
  const Bytes chunk(limits::sent_chunk_bytes);
  fl::bench::measure_beside(
      state, static_cast<double>(transfer),
      [&] {
        loopback.run([&] { return send_all(*pair.device, chunk); },
                     [&] { return receive_all(*pair.server); });
      },
      [&] { bare.send(chunk, transfer); });
}

}  // namespace

BENCHMARK(connection)->UseManualTime();
