#include "common/model/manifest.h"

#include <boost/json/serialize.hpp>

#include "common/base/error.h"
#include "common/model/contract_json.h"
#include "common/model/names.h"

namespace fl {
namespace {

constexpr std::string_view signature_prefix = "fl manifest 1\n";

std::string signed_text(const std::string& manifest) {
  return std::string(signature_prefix) + manifest;
}

void check_positive(const char* key, std::uint64_t value) {
  if (value > 0) return;
  throw Error(ErrorCode::invalid_argument,
              "the manifest's " + std::string(key) + " is 0, it must be positive");
}

}  // namespace

void check_task_name(std::string_view name) {
  if (names::is_identifier(name)) return;
  throw Error(ErrorCode::invalid_argument, in_quotes(name.substr(0, 2 * model_limits::task_name_bytes)) +
                                               " cannot name a task, which takes 1 to " +
                                               std::to_string(model_limits::task_name_bytes) +
                                               " characters of a-z, 0-9, '_' and '-'");
}

void Manifest::validate() const {
  check_task_name(task);
  check_positive("version", version);
  check_positive("archive_bytes", archive_bytes);
  check_positive("weights_count", weights_count);
  contract.validate();
}

std::string to_json(const Manifest& manifest) {
  return boost::json::serialize(boost::json::object{{"task", manifest.task},
                                                    {"version", manifest.version},
                                                    {"archive_hash", manifest.archive_hash.hex()},
                                                    {"archive_bytes", manifest.archive_bytes},
                                                    {"weights_hash", manifest.weights_hash.hex()},
                                                    {"weights_count", manifest.weights_count},
                                                    {"layout_hash", manifest.layout_hash.hex()},
                                                    {"previous", manifest.previous.hex()},
                                                    {"contract", json_of(manifest.contract)}});
}

Manifest manifest_from_json(std::string_view text) {
  const boost::json::value document = json::parse(text, "the manifest", model_limits::manifest_bytes);
  json::ObjectReader object(document, "");
  Manifest manifest;
  object.required("task", manifest.task);
  object.required("version", manifest.version);
  object.required("archive_hash", manifest.archive_hash, Digest::from_hex);
  object.required("archive_bytes", manifest.archive_bytes);
  object.required("weights_hash", manifest.weights_hash, Digest::from_hex);
  object.required("weights_count", manifest.weights_count);
  object.required("layout_hash", manifest.layout_hash, Digest::from_hex);
  object.required("previous", manifest.previous, Digest::from_hex);
  manifest.contract = read_task_contract(object.object("contract"));
  object.finish();
  return manifest;
}

SignedManifest sign(const Manifest& manifest, const SigningKey& key) {
  manifest.validate();
  SignedManifest result{to_json(manifest), {}};
  if (result.text.size() > model_limits::manifest_bytes) {
    throw Error(ErrorCode::invalid_argument,
                "the manifest of task " + in_quotes(manifest.task) + " has " +
                    std::to_string(result.text.size()) + " bytes, at most " +
                    std::to_string(model_limits::manifest_bytes) +
                    " are allowed: its labels or columns are too many or too long");
  }
  result.signature = key.sign(as_bytes(signed_text(result.text)));
  return result;
}

Manifest verify(const SignedManifest& manifest, const PublicKey& key) {
  if (!key.verifies(as_bytes(signed_text(manifest.text)), manifest.signature)) {
    throw Error(ErrorCode::unauthenticated,
                "the manifest's signature is not that of the server's signing key: it was changed on its "
                "way, or another server made it");
  }
  Manifest read = manifest_from_json(manifest.text);
  try {
    read.validate();
  } catch (const Error& error) {
    throw Error(ErrorCode::invalid_data, std::string("the manifest: ") + error.what());
  }
  return read;
}

}  // namespace fl
