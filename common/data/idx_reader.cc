#include "common/data/idx_reader.h"

#include <span>
#include <utility>

#include "common/base/error.h"

namespace fl {
namespace {

std::string sizes(std::int64_t height, std::int64_t width) {
  return std::to_string(height) + " × " + std::to_string(width);
}

}  // namespace

IdxReader::IdxReader(const std::vector<std::filesystem::path>& files, const TaskContract& contract,
                     LabelPolicy labels)
    : contract_(contract.data), codec_(contract) {
  pair_files(files, labels);
  for (const Pair& pair : pairs_) require_agreement(pair);
  pixels_.resize(static_cast<std::size_t>(contract_.height * contract_.width));
}

void IdxReader::pair_files(const std::vector<std::filesystem::path>& files, LabelPolicy policy) {
  std::vector<std::filesystem::path> images;
  std::vector<std::filesystem::path> labels;
  for (const auto& file : files) {
    (IdxFile(file).kind() == IdxFile::Kind::images ? images : labels).push_back(file);
  }
  const bool unlabelled = labels.empty() && policy == LabelPolicy::optional;
  if (images.empty() || (labels.size() != images.size() && !unlabelled)) {
    throw Error(ErrorCode::invalid_argument,
                std::to_string(images.size()) + " IDX image files and " + std::to_string(labels.size()) +
                    " label files were named, as many of one as of the other were expected");
  }
  for (std::size_t i = 0; i < images.size(); ++i) {
    pairs_.push_back({images[i], unlabelled ? std::nullopt : std::optional(labels[i])});
  }
}

void IdxReader::require_agreement(const Pair& pair) const {
  const IdxFile images(pair.images);
  if (images.height() != contract_.height || images.width() != contract_.width) {
    throw Error(ErrorCode::invalid_data, pair.images.string() + " has images of " +
                                             sizes(images.height(), images.width()) + " pixels, " +
                                             sizes(contract_.height, contract_.width) + " were expected");
  }
  if (!pair.labels) return;
  const IdxFile labels(*pair.labels);
  if (labels.count() == images.count()) return;
  throw Error(ErrorCode::invalid_data, pair.images.string() + " has " + std::to_string(images.count()) +
                                           " images and " + pair.labels->string() + " " +
                                           std::to_string(labels.count()) +
                                           " labels, one label an image was expected");
}

std::optional<Example> IdxReader::next() {
  while (!images_ || position_ == images_->count()) {
    if (!open_next_pair()) return std::nullopt;
  }
  Example example;
  example.inputs.push_back(read_image());
  example.target = labels_ ? read_target() : TargetCodec::none();
  ++position_;
  return example;
}

std::string IdxReader::where() const {
  if (!images_) return pairs_.front().images.string();
  return images_->path().string() + ": image " + std::to_string(position_);
}

bool IdxReader::open_next_pair() {
  if (opened_ == pairs_.size()) return false;
  const Pair& pair = pairs_[opened_++];
  images_.emplace(pair.images);
  labels_.reset();
  if (pair.labels) labels_.emplace(*pair.labels);
  position_ = 0;
  return true;
}

Tensor IdxReader::read_image() {
  images_->read(pixels_);
  std::vector<float> values;
  values.reserve(pixels_.size());
  for (const std::byte pixel : pixels_)
    values.push_back(static_cast<float>(std::to_integer<unsigned>(pixel)) / 255.0F);
  return make_tensor(std::span<const float>(values), {1, contract_.height, contract_.width});
}

Tensor IdxReader::read_target() {
  std::byte label{};
  labels_->read(std::span(&label, 1));
  const auto number = std::to_integer<std::size_t>(label);
  if (codec_.classes() > 0 && number >= codec_.classes()) {
    throw Error(ErrorCode::invalid_data, labels_->path().string() + ": label " +
                                             std::to_string(position_ + 1) + " is " + std::to_string(number) +
                                             ", a number below " + std::to_string(codec_.classes()) +
                                             " was expected");
  }
  return codec_.tensor(static_cast<double>(number));
}

}  // namespace fl
