#include <doctest/doctest.h>

#include "server/ledger/ledger.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/ledger/samples.h"

using namespace fl;
using namespace fl::server;
using namespace fl::test;

TEST_CASE("a token enrols one device once and gives its name to a nameless one") {
  const TemporaryFolder folder;
  Ledger ledger(folder / "ledger.db");
  ledger.add_token(digest_of("secret"), "kitchen", at(100));
  DeviceRecord nameless = sample_device("d1");
  nameless.name.clear();
  CHECK(ledger.enrol(digest_of("secret"), nameless, at(99)) == TokenOutcome::accepted);
  REQUIRE(ledger.device("d1").has_value());
  CHECK(ledger.device("d1")->name == "kitchen");
  CHECK(ledger.enrol(digest_of("secret"), sample_device("d2"), at(99)) == TokenOutcome::used);
  CHECK_FALSE(ledger.device("d2").has_value());
}

TEST_CASE("a wrong or expired token enrols nobody (I9)") {
  const TemporaryFolder folder;
  Ledger ledger(folder / "ledger.db");
  ledger.add_token(digest_of("secret"), "", at(100));
  CHECK(ledger.enrol(digest_of("other"), sample_device("d1"), at(1)) == TokenOutcome::unknown);
  CHECK(ledger.enrol(digest_of("secret"), sample_device("d1"), at(100)) == TokenOutcome::expired);
  CHECK(ledger.devices().empty());
  CHECK(ledger.enrol(digest_of("secret"), sample_device("d1"), at(99)) == TokenOutcome::accepted);
}

TEST_CASE("a failed enrolment leaves the token unused (I9)") {
  const TemporaryFolder folder;
  Ledger ledger(folder / "ledger.db");
  enrol(ledger, "d1");
  ledger.add_token(digest_of("second"), "", at(100));
  CHECK(code_of([&] { ledger.enrol(digest_of("second"), sample_device("d1"), at(1)); }) ==
        ErrorCode::already_exists);
  CHECK(ledger.enrol(digest_of("second"), sample_device("d2"), at(1)) == TokenOutcome::accepted);
}

TEST_CASE("a device is kept as it was given and changes as it is told") {
  const TemporaryFolder folder;
  Ledger ledger(folder / "ledger.db");
  enrol(ledger, "d1");
  enrol(ledger, "d2");
  ledger.renew_certificate("d1", "02CD", at(2000));
  ledger.touch_device("d1", at(50));
  ledger.revoke_device("d2");
  const DeviceRecord device = ledger.device("d1").value();
  CHECK(device.name == "name of d1");
  CHECK(device.certificate_serial == "02CD");
  CHECK(device.enrolled == at(10));
  CHECK(device.certificate_expires == at(2000));
  CHECK(device.last_seen == at(50));
  CHECK_FALSE(device.revoked);
  CHECK(ledger.device("d2")->revoked);
  CHECK(ledger.devices().size() == 2);
  CHECK(ledger.device_count() == 1);
}

TEST_CASE("changing a device that is not there is refused (I9)") {
  const TemporaryFolder folder;
  Ledger ledger(folder / "ledger.db");
  CHECK_FALSE(ledger.device("d1").has_value());
  CHECK(code_of([&] { ledger.revoke_device("d1"); }) == ErrorCode::not_found);
  CHECK(code_of([&] { ledger.touch_device("d1", at(1)); }) == ErrorCode::not_found);
  CHECK(code_of([&] { ledger.renew_certificate("d1", "1", at(1)); }) == ErrorCode::not_found);
}

TEST_CASE("text that looks like SQL is kept as text (I9)") {
  const TemporaryFolder folder;
  Ledger ledger(folder / "ledger.db");
  const std::string evil = "x'); DROP TABLE devices; --";
  ledger.add_token(digest_of("secret"), evil, at(100));
  DeviceRecord device = sample_device("d1");
  device.name = evil;
  ledger.enrol(digest_of("secret"), device, at(1));
  CHECK(ledger.device("d1")->name == evil);
  CHECK_FALSE(ledger.device(evil).has_value());
}
