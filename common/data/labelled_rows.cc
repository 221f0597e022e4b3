#include "common/data/labelled_rows.h"

#include <utility>

namespace fl {

LabelledRows::LabelledRows(std::vector<std::filesystem::path> files, const TaskContract& contract,
                           LabelPolicy labels)
    : files_(std::move(files)),
      contract_(contract.data),
      labels_(labels),
      codec_(contract),
      features_(contract.data.columns.size()) {}

bool LabelledRows::next() {
  begins_file_ = false;
  while (!rows_ || !rows_->next()) {
    if (opened_ == files_.size()) return false;
    open_next_file();
  }
  columns_->read(*rows_, features_);
  if (label_) target_ = codec_.read(*rows_, *label_);
  return true;
}

std::string LabelledRows::where() const {
  return rows_ ? rows_->where() : files_.front().string();
}

void LabelledRows::open_next_file() {
  rows_.emplace(files_[opened_++]);
  columns_.emplace(*rows_, contract_);
  label_ = labels_ == LabelPolicy::required ? rows_->require(contract_.label) : rows_->find(contract_.label);
  target_.reset();
  begins_file_ = true;
}

}  // namespace fl
