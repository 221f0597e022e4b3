#pragma once

#include <cstddef>
#include <memory>
#include <span>

namespace fl::server {

/// Doubles that are zero and take memory only once they are written: made at no cost on a thread that must
/// not wait, first touched by those that fill them. In large pages where the system has them.
class Zeros {
 public:
  /// Throws std::bad_alloc.
  explicit Zeros(std::size_t count);

  std::size_t size() const { return memory_.get_deleter().count; }
  double* data() { return memory_.get(); }
  std::span<const double> values() const { return {memory_.get(), size()}; }

 private:
  struct Unmap {
    std::size_t count;
    void operator()(double* memory) const;
  };
  std::unique_ptr<double, Unmap> memory_;
};

}  // namespace fl::server
