#include "tests/unit/client/federation.h"

#include "common/base/random.h"

namespace fl::test {

PublishedVersion Federation::publish(const std::string& task, std::uint64_t version,
                                     std::int64_t favourite) const {
  const Weights zeros = Weights(static_cast<std::size_t>(inputs * classes + classes), 0.0F);
  return publish(task, version, weights_favouring(inputs, classes, favourite),
                 linear_archive(inputs, classes, zeros));
}

PublishedVersion Federation::publish(const std::string& task, std::uint64_t version, Weights weights,
                                     Bytes archive) const {
  PublishedVersion published;
  published.manifest.task = task;
  published.manifest.version = version;
  published.manifest.archive_hash = sha256(archive);
  published.manifest.archive_bytes = archive.size();
  published.manifest.weights_hash = sha256(as_bytes(std::span<const float>(weights)));
  published.manifest.weights_count = weights.size();
  published.manifest.layout_hash = linear_layout(inputs, classes).hash();
  published.manifest.contract = linear_contract(inputs, classes);
  published.signed_manifest = sign(published.manifest, signing_key);
  published.archive = std::move(archive);
  published.weights = std::move(weights);
  return published;
}

PublishedVersion Federation::publish_after(const PublishedVersion& base, Encoding encoding) const {
  std::vector<float> steps(base.weights.size());
  for (std::size_t i = 0; i < steps.size(); ++i) steps[i] = 0.01F * static_cast<float>(i);
  Bytes bytes(encoded_bytes(encoding, steps.size()));
  Random rounding(1);
  encode(encoding, steps, rounding, bytes);
  decode(encoding, bytes, steps);
  Weights weights = base.weights;
  for (std::size_t i = 0; i < steps.size(); ++i) weights[i] += steps[i];
  PublishedVersion next =
      publish(base.manifest.task, base.manifest.version + 1, std::move(weights), base.archive);
  next.difference = {base.manifest.weights_hash, sha256(bytes), bytes.size(), encoding, steps.size()};
  next.difference_bytes = std::move(bytes);
  return next;
}

net::Identity Federation::issue(const std::string& device, std::chrono::hours lifetime) const {
  const net::PrivateKey key = net::PrivateKey::generate();
  return {net::issue_device(authority, net::make_request(key), device, validity(lifetime)), key};
}

client::DeviceHome Federation::make_home(const std::filesystem::path& folder,
                                         const net::Endpoint& server_endpoint,
                                         std::chrono::hours lifetime) const {
  client::HomeDraft draft(folder);
  const net::Certificate certificate =
      net::issue_device(authority, net::make_request(draft.key()), "device-1", validity(lifetime));
  return draft.finish({"device-1", "kitchen", server_endpoint, signing_key.public_key()}, certificate,
                      authority.certificate);
}

}  // namespace fl::test
