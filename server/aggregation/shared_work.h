#pragma once

#include <cstddef>
#include <functional>

#include <boost/asio/thread_pool.hpp>

namespace fl::server {

/// Calls work(0) to work(parts - 1), each once, on the calling thread, which may be one of `workers`, and on
/// those of `workers` that are free meanwhile; returns once all that was begun has ended. Throws the first
/// thing that was thrown, after which no other part is begun.
void share_work(boost::asio::thread_pool& workers, std::size_t parts,
                const std::function<void(std::size_t)>& work);

}  // namespace fl::server
