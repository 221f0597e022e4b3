#include "client/store/version_file.h"

#include <algorithm>
#include <string_view>

#include <boost/json.hpp>

#include "common/base/error.h"
#include "common/base/files.h"

namespace fl::client {
namespace {

namespace json = boost::json;

constexpr int file_format = 1;
constexpr std::size_t file_limit = std::size_t{2} << 20U;

json::value to_value(const std::optional<Evaluation>& evaluation) {
  if (!evaluation) return nullptr;
  json::object object{{"examples", evaluation->examples}, {"loss", evaluation->loss}};
  if (evaluation->accuracy) object["accuracy"] = *evaluation->accuracy;
  return object;
}

std::optional<Evaluation> evaluation_from(const json::value& value) {
  if (value.is_null()) return std::nullopt;
  const json::object& object = value.as_object();
  Evaluation evaluation;
  evaluation.examples = object.at("examples").to_number<std::uint64_t>();
  evaluation.loss = object.at("loss").to_number<double>();
  if (const json::value* accuracy = object.if_contains("accuracy")) {
    evaluation.accuracy = accuracy->to_number<double>();
  }
  return evaluation;
}

Signature signature_from(std::string_view text) {
  Signature signature{};
  const Bytes bytes = from_hex(text);
  if (bytes.size() != signature.size())
    throw Error(ErrorCode::invalid_data, "the signature has not 64 bytes");
  std::copy(bytes.begin(), bytes.end(), signature.begin());
  return signature;
}

VersionFile parse(const std::string& text, const PublicKey& key) {
  const json::object object = json::parse(text).as_object();
  if (object.at("format") != json::value(file_format)) {
    throw Error(ErrorCode::invalid_data, "its format is not " + std::to_string(file_format));
  }
  VersionFile file;
  file.version.signed_manifest.text = std::string(object.at("manifest").as_string());
  file.version.signed_manifest.signature = signature_from(object.at("signature").as_string());
  file.version.manifest = verify(file.version.signed_manifest, key);
  file.version.evaluation = evaluation_from(object.at("evaluation"));
  file.highest = std::max(object.at("highest").to_number<std::uint64_t>(), file.version.manifest.version);
  return file;
}

}  // namespace

void write_version_file(const std::filesystem::path& path, const VersionFile& content) {
  const json::object object{{"format", file_format},
                            {"manifest", content.version.signed_manifest.text},
                            {"signature", to_hex(content.version.signed_manifest.signature)},
                            {"highest", content.highest},
                            {"evaluation", to_value(content.version.evaluation)}};
  write_file_atomically(path, as_bytes(json::serialize(object) + "\n"), FileMode::secret);
}

std::optional<VersionFile> read_version_file(const std::filesystem::path& path, const std::string& task,
                                             const PublicKey& key) {
  if (!std::filesystem::exists(path)) return std::nullopt;
  const std::string text = read_text_file(path, file_limit);
  try {
    VersionFile file = parse(text, key);
    if (file.version.manifest.task != task) {
      throw Error(ErrorCode::invalid_data, "it is of the task " + file.version.manifest.task);
    }
    return file;
  } catch (const Error& error) {
    throw error.within(path.string() + " is damaged");
  } catch (const std::exception&) {  // its words are Boost.JSON's, for programmers
    throw Error(ErrorCode::invalid_data,
                path.string() + " is damaged: it is not what this program writes there");
  }
}

}  // namespace fl::client
