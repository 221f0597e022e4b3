#include "server/strategy/zeros.h"

#include <new>
#include <sys/mman.h>

namespace fl::server {
namespace {

double* map(std::size_t count) {
  if (count == 0) return nullptr;
  const std::size_t bytes = count * sizeof(double);
  void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  ::madvise(memory, bytes, MADV_HUGEPAGE);  // a wish
  return static_cast<double*>(memory);
}

}  // namespace

Zeros::Zeros(std::size_t count) : memory_(map(count), Unmap{count}) {}

void Zeros::Unmap::operator()(double* memory) const {
  ::munmap(memory, count * sizeof(double));
}

}  // namespace fl::server
