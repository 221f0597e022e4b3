#include "server/ledger/database.h"

namespace fl::server {
namespace {

constexpr const char* select_devices =
    "SELECT id, name, certificate_serial, enrolled, certificate_expires, last_seen, revoked FROM devices "
    "ORDER BY id";
constexpr const char* select_device =
    "SELECT id, name, certificate_serial, enrolled, certificate_expires, last_seen, revoked FROM devices "
    "WHERE id = ?";

DeviceRecord read_device(Query& row) {
  DeviceRecord device;
  device.id = row.text();
  device.name = row.text();
  device.certificate_serial = row.text();
  device.enrolled = row.moment();
  device.certificate_expires = row.moment();
  device.last_seen = row.moment();
  device.revoked = row.truth();
  return device;
}

constexpr const char* select_token =
    "SELECT device_name, expires, used_by IS NOT NULL FROM tokens WHERE secret_hash = ?";

struct Token {
  std::string device_name;
  Timestamp expires;
  bool used = false;
};

Token read_token(Query& row) {
  Token token;
  token.device_name = row.text();
  token.expires = row.moment();
  token.used = row.truth();
  return token;
}

TokenOutcome outcome_of(const std::optional<Token>& token, Timestamp now) {
  if (!token) return TokenOutcome::unknown;
  if (token->used) return TokenOutcome::used;
  return now < token->expires ? TokenOutcome::accepted : TokenOutcome::expired;
}

void insert_device(SQLite::Database& connection, const DeviceRecord& device) {
  Query(
      connection,
      "INSERT INTO devices (id, name, certificate_serial, enrolled, certificate_expires, last_seen, revoked) "
      "VALUES (?, ?, ?, ?, ?, ?, ?)",
      device.id, device.name, device.certificate_serial, device.enrolled, device.certificate_expires,
      device.last_seen, device.revoked)
      .run();
}

void require_device(int rows, const std::string& id) {
  if (rows == 0) throw Error(ErrorCode::not_found, "there is no device '" + id + "'");
}

}  // namespace

void Ledger::add_token(const Digest& secret_hash, const std::string& device_name, Timestamp expires) {
  database_->change("adding a token", [&] {
    Query(database_->connection, "INSERT INTO tokens (secret_hash, device_name, expires) VALUES (?, ?, ?)",
          secret_hash, device_name, expires)
        .run();
  });
}

TokenOutcome Ledger::token_outcome(const Digest& secret_hash, Timestamp now) const {
  return outcome_of(database_->find(read_token, select_token, secret_hash), now);
}

TokenOutcome Ledger::enrol(const Digest& secret_hash, DeviceRecord device, Timestamp now) {
  return database_->change("enrolling the device '" + device.id + "'", [&] {
    const std::optional<Token> token = database_->find(read_token, select_token, secret_hash);
    const TokenOutcome outcome = outcome_of(token, now);
    if (outcome != TokenOutcome::accepted) return outcome;
    if (device.name.empty()) device.name = token->device_name;
    insert_device(database_->connection, device);
    Query(database_->connection, "UPDATE tokens SET used_by = ? WHERE secret_hash = ?", device.id,
          secret_hash)
        .run();
    return TokenOutcome::accepted;
  });
}

void Ledger::renew_certificate(const std::string& device, const std::string& serial, Timestamp expires) {
  database_->change("renewing a certificate", [&] {
    Query update(database_->connection,
                 "UPDATE devices SET certificate_serial = ?, certificate_expires = ? WHERE id = ?", serial,
                 expires, device);
    require_device(update.run(), device);
  });
}

void Ledger::revoke_device(const std::string& device) {
  database_->change("revoking a device", [&] {
    Query update(database_->connection, "UPDATE devices SET revoked = 1 WHERE id = ?", device);
    require_device(update.run(), device);
  });
}

void Ledger::touch_device(const std::string& device, Timestamp now) {
  const Database::Syncing syncing(*database_, Durability::relaxed);
  database_->change("noting when a device was seen", [&] {
    Query update(database_->connection, "UPDATE devices SET last_seen = ? WHERE id = ?", now, device);
    require_device(update.run(), device);
  });
}

std::optional<DeviceRecord> Ledger::device(const std::string& id) const {
  return database_->find(read_device, select_device, id);
}

std::vector<DeviceRecord> Ledger::devices() const {
  return database_->list(read_device, select_devices);
}

std::size_t Ledger::device_count() const {
  return guarded("counting the devices", [&] {
    Query query(database_->connection, "SELECT count(*) FROM devices WHERE revoked = 0");
    query.step();
    return std::size_t{query.count()};
  });
}

}  // namespace fl::server
