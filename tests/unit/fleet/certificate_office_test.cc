#include "server/fleet/certificate_office.h"

#include <doctest/doctest.h>

#include "common/base/error.h"
#include "common/base/random.h"
#include "tests/support/temporary_folder.h"

using namespace fl;
using namespace fl::server;

namespace {

struct Office {
  Office() : ledger(folder / "ledger.db") {}

  test::TemporaryFolder folder;
  Ledger ledger;
  SystemClock clock;
  CertificateOffice office{ledger, clock, net::make_authority("test", {clock.now(), std::chrono::hours(24)}),
                           std::chrono::hours(2)};
};

}  // namespace

TEST_CASE("a request that proves nothing does not use its token up (I9)") {
  Office test;
  const Bytes secret = secret_bytes(32);
  test.ledger.add_token(sha256(secret), "", test.clock.now() + std::chrono::hours(1));
  CHECK_THROWS_AS(test.office.enrol(secret, as_bytes("no request"), "x"), Error);
  const Bytes request = net::make_request(net::PrivateKey::generate());
  const auto enrolment = test.office.enrol(secret, request, "x");
  CHECK(enrolment.outcome == TokenOutcome::accepted);
  CHECK(net::Certificate::from_der(enrolment.certificate).common_name() == enrolment.device);
  CHECK(!test.office.admit(enrolment.device));
  CHECK(test.office.enrol(secret, request, "x").outcome == TokenOutcome::used);
}

TEST_CASE("nothing is signed for who has no token (I8)") {
  Office test;
  const Bytes secret = secret_bytes(32);
  CHECK(test.office.enrol(secret, as_bytes("no request"), "x").outcome == TokenOutcome::unknown);
  test.ledger.add_token(sha256(secret), "", test.clock.now());
  const auto enrolment = test.office.enrol(secret, as_bytes("no request"), "x");
  CHECK(enrolment.outcome == TokenOutcome::expired);
  CHECK(enrolment.certificate.empty());
}

TEST_CASE("a device that is unknown or revoked is objected to") {
  Office test;
  CHECK(test.office.admit("d0") == "the device is not enrolled here");
}
