#include "common/model/manifest.h"

#include <limits>

#include <doctest/doctest.h>

#include "common/base/random.h"
#include "tests/unit/model/refusal.h"
#include "tests/unit/model/sample_contract.h"

using namespace fl;
using namespace fl::test;

namespace {

Manifest sample_manifest() {
  Manifest manifest;
  manifest.task = std::string("activity");
  manifest.version = 3;
  manifest.archive_hash = sha256(as_bytes("archive"));
  manifest.archive_bytes = 7;
  manifest.weights_hash = sha256(as_bytes("weights"));
  manifest.weights_count = std::numeric_limits<std::uint64_t>::max();
  manifest.layout_hash = sha256(as_bytes("layout"));
  manifest.previous = sha256(as_bytes("previous"));
  manifest.contract = windows_contract();
  return manifest;
}

/// A manifest of any text, signed as sign() signs.
SignedManifest signed_text(const std::string& text, const SigningKey& key) {
  return {text, key.sign(as_bytes("fl manifest 1\n" + text))};
}

std::string refused(const std::string& from, const std::string& to) {
  const std::string text = replaced(to_json(sample_manifest()), from, to);
  return refusal(ErrorCode::invalid_data, [&] { manifest_from_json(text); });
}

/// What sign() says of the manifest with one thing changed.
template <typename Change>
std::string not_signed(Change change) {
  Manifest manifest = sample_manifest();
  change(manifest);
  const SigningKey key = SigningKey::generate();
  return refusal(ErrorCode::invalid_argument, [&] { sign(manifest, key); });
}

}  // namespace

TEST_CASE("a signed manifest verifies and comes back as it was") {
  const SigningKey key = SigningKey::generate();
  const Manifest manifest = sample_manifest();
  const SignedManifest signed_manifest = sign(manifest, key);
  const Manifest read = verify(signed_manifest, key.public_key());
  CHECK(to_json(read) == to_json(manifest));
  CHECK(read.task == "activity");
  CHECK(read.version == 3);
  CHECK(read.archive_hash == manifest.archive_hash);
  CHECK(read.weights_count == manifest.weights_count);
  CHECK(read.previous == manifest.previous);
  CHECK(read.contract.labels == manifest.contract.labels);
  CHECK(signed_manifest.hash() == sha256(as_bytes(signed_manifest.text)));
}

TEST_CASE("a manifest with any byte changed is refused before it is parsed (I6)") {
  const SigningKey key = SigningKey::generate();
  const SignedManifest good = sign(sample_manifest(), key);
  for (std::size_t i = 0; i < good.text.size(); ++i) {
    SignedManifest changed = good;
    changed.text[i] = static_cast<char>(changed.text[i] ^ (1 << (i % 8)));
    refusal(ErrorCode::unauthenticated, [&] { verify(changed, key.public_key()); });
  }
  for (std::size_t i = 0; i < good.signature.size(); ++i) {
    SignedManifest changed = good;
    changed.signature[i] ^= std::byte{1};
    refusal(ErrorCode::unauthenticated, [&] { verify(changed, key.public_key()); });
  }
}

TEST_CASE("a manifest that grew or shrank or is of another key is refused (I6)") {
  const SigningKey key = SigningKey::generate();
  const SignedManifest good = sign(sample_manifest(), key);
  refusal(ErrorCode::unauthenticated, [&] { verify(good, SigningKey::generate().public_key()); });
  refusal(ErrorCode::unauthenticated, [&] { verify({good.text + " ", good.signature}, key.public_key()); });
  refusal(ErrorCode::unauthenticated, [&] { verify({"", good.signature}, key.public_key()); });
  refusal(ErrorCode::unauthenticated, [&] { verify({}, key.public_key()); });
  refusal(ErrorCode::unauthenticated, [&] { verify({"rubbish", {}}, key.public_key()); });
}

TEST_CASE("a signature over the text alone does not make a manifest (I6)") {
  const SigningKey key = SigningKey::generate();
  const std::string text = to_json(sample_manifest());
  refusal(ErrorCode::unauthenticated, [&] { verify({text, key.sign(as_bytes(text))}, key.public_key()); });
  CHECK_NOTHROW(verify(signed_text(text, key), key.public_key()));
}

TEST_CASE("a text that is signed but no manifest is refused (I8)") {
  const SigningKey key = SigningKey::generate();
  const auto refused_text = [&](const std::string& text) {
    return refusal(ErrorCode::invalid_data, [&] { verify(signed_text(text, key), key.public_key()); });
  };
  CHECK(contains(refused_text("rubbish"), "the manifest is not JSON"));
  CHECK(contains(refused_text("{}"), "'task' is missing"));
  CHECK(contains(refused_text(std::string(300'000, ' ')), "at most 262144"));
  const std::string text = to_json(sample_manifest());
  CHECK(contains(refused_text(replaced(text, R"("version":3)", R"("version":0)")), "version is 0"));
  CHECK(contains(refused_text(replaced(text, "[-1,3,50]", "[-1,3,51]")), "the input 'motion'"));
  CHECK(contains(refused_text(replaced(text, "activity", "../etc")), "cannot name a task"));
}

TEST_CASE("a manifest's key that is missing or unknown or of the wrong kind is refused by name (I9)") {
  CHECK(refused(R"("version":3,)", "") == "the key 'version' is missing");
  CHECK(refused(R"("version":3)", R"("version":-3)") ==
        "the key 'version' must be a whole number from 0 to 18446744073709551615, it is -3");
  CHECK(contains(refused(R"("version":3)", R"("version":3.5)"), "'version' must be a whole number"));
  CHECK(contains(refused(R"("version":3)", R"("version":99999999999999999999)"), "'version'"));
  CHECK(contains(refused(R"("task":)", R"("extra":1,"task":)"), "'extra' is not known"));
  CHECK(contains(refused(R"("previous":")", R"("previous":"0)"), "'previous': a SHA-256 digest has 64"));
  CHECK(
      contains(refused(R"("archive_hash":")", R"("archive_hash":7,"x":")"), "'archive_hash' must be a text"));
  CHECK(contains(refused(R"("labels":)", R"("label":)"), "'contract.labels' is missing"));
  CHECK(contains(refused(R"("window":50)", R"("window":"50")"), "'contract.data.window' must be"));
}

TEST_CASE("a manifest that does not validate is not signed (I9)") {
  CHECK(contains(not_signed([](auto& manifest) { manifest.task = std::string("Activity"); }),
                 "'Activity' cannot name"));
  CHECK(contains(not_signed([](auto& manifest) { manifest.version = 0; }), "version is 0"));
  CHECK(contains(not_signed([](auto& manifest) { manifest.archive_bytes = 0; }), "archive_bytes is 0"));
  CHECK(contains(not_signed([](auto& manifest) { manifest.weights_count = 0; }), "weights_count is 0"));
  CHECK(contains(not_signed([](auto& manifest) { manifest.contract.labels.clear(); }), "labels"));
  CHECK(contains(not_signed([](auto& manifest) {
                   manifest.contract.labels.clear();
                   for (int i = 0; i < 2000; ++i) {
                     manifest.contract.labels.push_back(std::to_string(i) + std::string(200, 'x'));
                   }
                   manifest.contract.outputs[0].shape = {-1, 2000};
                 }),
                 "at most 262144 are allowed"));
}

TEST_CASE("task names are short and plain (I9)") {
  for (const std::string& name : {std::string("a"), std::string("har-2_b"), std::string(64, 'z')}) {
    CHECK_NOTHROW(check_task_name(name));
  }
  for (const std::string& name :
       {std::string(), std::string("A"), std::string("a b"), std::string("a/b"), std::string(".."),
        std::string("a\n"), std::string("ä"), std::string(65, 'z'), std::string("a\0", 2)}) {
    CHECK(contains(refusal(ErrorCode::invalid_argument, [&] { check_task_name(name); }), "1 to 64"));
  }
}

TEST_CASE("a manifest text with any bytes changed is read or refused and nothing else (I8)") {
  const std::string text = to_json(sample_manifest());
  Random random(12);
  int refusals = 0;
  for (int repeat = 0; repeat < 10'000; ++repeat) {
    std::string changed = text;
    for (std::uint64_t left = 1 + random.below(3); left > 0; --left) {
      changed[random.below(changed.size())] = static_cast<char>(random());
    }
    try {
      manifest_from_json(changed).validate();
    } catch (const Error& error) {
      const bool expected =
          error.code() == ErrorCode::invalid_data || error.code() == ErrorCode::invalid_argument;
      REQUIRE(expected);
      ++refusals;
    }
  }
  CHECK(refusals > 1'000);
}
