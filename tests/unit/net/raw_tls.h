#pragma once

#include <array>
#include <memory>
#include <string>

#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "common/base/bytes.h"
#include "tests/unit/net/loopback.h"

namespace fl::test {

/// How a peer of another make is set up: each field is off what Connection would do.
struct RawOptions {
  int version = TLS1_3_VERSION;
  std::string alpn =
      "\x04"
      "fl/1";  // as the extension carries it; empty: no extension
  const net::Identity* identity = nullptr;
  int chain_copies = 0;            // of the identity's certificate, sent behind it
  std::string from = "127.0.0.1";  // the address to connect from
};

/// A TLS client made with OpenSSL alone, which can send what Connection never would. It believes every
/// server.
class RawTls {
 public:
  RawTls(Loopback& loopback, const RawOptions& options) : RawTls(loopback, loopback.endpoint(), options) {}
  /// To a server that is not the loopback's own.
  RawTls(Loopback& loopback, net::Endpoint server, const RawOptions& options)
      : socket_(loopback.context()),
        server_(std::move(server)),
        from_(options.from),
        gets_ticket_(options.identity != nullptr && options.alpn == RawOptions().alpn) {
    context_.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_min_proto_version(context_.get(), options.version);
    SSL_CTX_set_max_proto_version(context_.get(), options.version);
    SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_CLIENT);
    if (options.identity != nullptr) {
      SSL_CTX_use_certificate(context_.get(), options.identity->certificate.native());
      SSL_CTX_use_PrivateKey(context_.get(), options.identity->key.native());
    }
    for (int i = 0; i < options.chain_copies; ++i) {
      SSL_CTX_add1_chain_cert(context_.get(), options.identity->certificate.native());
    }
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl_.get());
    const auto* alpn = reinterpret_cast<const unsigned char*>(options.alpn.data());
    if (!options.alpn.empty())
      SSL_set_alpn_protos(ssl_.get(), alpn, static_cast<unsigned>(options.alpn.size()));
  }

  Task<> connect() {
    const boost::asio::ip::tcp::endpoint address(boost::asio::ip::make_address(server_.host), server_.port);
    socket_.open(address.protocol());
    socket_.bind({boost::asio::ip::make_address(from_), 0});
    co_await socket_.async_connect(address, boost::asio::use_awaitable);
  }

  /// Connects, shakes hands and takes the ticket that is given on fl/1; whether it came to its end.
  Task<bool> handshake() {
    co_await connect();
    for (;;) {
      const int done = SSL_do_handshake(ssl_.get());
      co_await flush();
      if (done == 1 && gets_ticket_) co_await take_ticket();
      if (done == 1) co_return true;
      if (!co_await fill_after(done)) co_return false;
    }
  }

  /// Sends bytes outside TLS.
  Task<> write_plain(std::string bytes) {
    const auto buffer = boost::asio::buffer(bytes);
    co_await boost::asio::async_write(socket_, buffer, boost::asio::use_awaitable);
  }

  /// Sends bytes inside TLS, whatever they are.
  Task<> write(ByteView bytes) {
    SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
    co_await flush();
  }

  /// Renews its keys so many times, each a record without data; an end of the connection is no error.
  Task<> renew_keys(int times) {
    for (int i = 0; i < times; ++i) {
      SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_NOT_REQUESTED);
      SSL_do_handshake(ssl_.get());
    }
    co_await flush();
  }

  /// Reads until the server closes or breaks off; the number of the alert it sent, 0 for close_notify or
  /// none.
  Task<int> read_to_end() {
    std::array<char, 4096> ignored{};
    for (;;) {
      const int count = SSL_read(ssl_.get(), ignored.data(), static_cast<int>(ignored.size()));
      if (count <= 0 && !co_await fill_after(count)) co_return alert_;
    }
  }

  /// Sends close_notify, then closes.
  Task<> say_goodbye() {
    SSL_shutdown(ssl_.get());
    co_await flush();
    close();
  }

  void close() { socket_.close(); }
  SSL_CTX* context() { return context_.get(); }

 private:
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  Task<> flush() {
    char* data = nullptr;
    const long size = BIO_get_mem_data(SSL_get_wbio(ssl_.get()), &data);
    const std::string bytes(data, static_cast<std::size_t>(size));
    (void)BIO_reset(SSL_get_wbio(ssl_.get()));
    boost::system::error_code ignored;
    const auto buffer = boost::asio::buffer(bytes);
    co_await boost::asio::async_write(socket_, buffer,
                                      boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
  }

  // More bytes, where the call that returned this wants them; otherwise notes the alert that ended it.
  Task<bool> fill_after(int returned) {
    const int error = SSL_get_error(ssl_.get(), returned);
    const int reason = ERR_GET_REASON(ERR_get_error());
    ERR_clear_error();
    if (error == SSL_ERROR_WANT_READ) co_return co_await fill();
    if (error == SSL_ERROR_SSL && reason >= SSL_AD_REASON_OFFSET) alert_ = reason - SSL_AD_REASON_OFFSET;
    co_return false;
  }

  // Left unread it would turn the end of the connection into a reset.
  Task<> take_ticket() {
    char first = 0;
    for (;;) {
      const int count = SSL_peek(ssl_.get(), &first, 1);
      if (count > 0 || SSL_SESSION_is_resumable(SSL_get_session(ssl_.get())) == 1) co_return;
      if (!co_await fill_after(count)) co_return;
    }
  }

  Task<bool> fill() {
    std::array<char, 4096> bytes{};
    boost::system::error_code error;
    const auto buffer = boost::asio::buffer(bytes);
    auto token = boost::asio::redirect_error(boost::asio::use_awaitable, error);
    const std::size_t count = co_await socket_.async_read_some(buffer, token);
    BIO_write(SSL_get_rbio(ssl_.get()), bytes.data(), static_cast<int>(count));
    co_return !error;
  }

  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> ssl_;
  boost::asio::ip::tcp::socket socket_;
  net::Endpoint server_;
  std::string from_;
  bool gets_ticket_;
  int alert_ = 0;
};

/// A server's Connection to a device of another make.
struct RawPair {
  explicit RawPair(Loopback& loopback) : raw(loopback, {.identity = &fleet.device}) {
    loopback.run([&]() -> Task<> { server = co_await loopback.accept(fleet.server_context()); },
                 [&]() -> Task<> { co_await raw.handshake(); });
  }

  Fleet fleet;
  RawTls raw;
  std::unique_ptr<net::Connection> server;
};

}  // namespace fl::test
