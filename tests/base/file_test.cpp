#include "base/file.h"

#include <gtest/gtest.h>

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <cstring>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/temporary_folder.h"

namespace tarmac {
namespace {

using test::TemporaryFolder;

std::string content(const std::filesystem::path& path) {
  auto text = read_file(path);
  return text ? *text : "error: " + text.error().str();
}

/// While it lives, files cannot grow beyond `bytes`: a full disk, without one.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : old_handler_(::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &old_);
    rlimit limited = old_;
    limited.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limited);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    ::signal(SIGXFSZ, old_handler_);
  }

 private:
  rlimit old_{};
  void (*old_handler_)(int);
};

TEST(AtomicFile, AppearsOnlyOnCommit) {
  const TemporaryFolder folder;
  const auto path = folder / "plan";
  auto file = AtomicFile::create(path);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(file->write("first ").ok());
  EXPECT_EQ(file->size(), 6U);
  ASSERT_TRUE(file->write("second").ok());
  EXPECT_FALSE(std::filesystem::exists(path));
  ASSERT_TRUE(file->commit().ok());
  EXPECT_EQ(content(path), "first second");
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(AtomicFile, WithoutCommitNothingStays) {
  const TemporaryFolder folder;
  {
    auto file = AtomicFile::create(folder / "plan");
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(file->write("half a plan").ok());
    EXPECT_EQ(folder.entries(), 1U);
    const AtomicFile moved = *std::move(file);  // the moved-from object must not remove anything
  }
  EXPECT_EQ(folder.entries(), 0U);
}

TEST(AtomicFile, AnExistingFileSurvivesAFailedWrite) {
  const TemporaryFolder folder;
  const auto path = folder.write("plan", "the good old plan");
  {
    const FileSizeLimit full_disk(4096);
    const Status status = write_file(path, std::string(100000, 'x'));
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code, ErrorCode::kIo);
    EXPECT_EQ(status.error().context, path.string());
  }
  EXPECT_EQ(content(path), "the good old plan");
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(AtomicFile, ReplacesAnExistingFile) {
  const TemporaryFolder folder;
  const auto path = folder.write("plan", "old");
  ASSERT_TRUE(write_file(path, "new").ok());
  EXPECT_EQ(content(path), "new");
}

TEST(AtomicFile, AReaderOfTheOldFileKeepsIt) {
  const TemporaryFolder folder;
  const auto path = folder.write("weights", "old weights");
  const auto mapped = MappedFile::open(path);
  ASSERT_TRUE(mapped.ok());
  ASSERT_TRUE(write_file(path, "new").ok());
  const auto bytes = (*mapped)->bytes();
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()), "old weights");
}

TEST(AtomicFile, TwoWritersOfOnePathDoNotMix) {
  const TemporaryFolder folder;
  auto first = AtomicFile::create(folder / "plan");
  auto second = AtomicFile::create(folder / "plan");
  ASSERT_TRUE(first.ok() && second.ok());
  ASSERT_TRUE(first->write("first").ok() && second->write("second").ok());
  ASSERT_TRUE(first->commit().ok());
  EXPECT_EQ(content(folder / "plan"), "first");
  ASSERT_TRUE(second->commit().ok());
  EXPECT_EQ(content(folder / "plan"), "second");
  EXPECT_EQ(folder.entries(), 1U);
}

/// Leaves what a writer leaves that is killed before it commits.
void write_and_be_killed(const std::filesystem::path& path) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto file = AtomicFile::create(path);
    if (file && file->write("half a plan").ok()) ::raise(SIGKILL);
    ::_exit(1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
}

TEST(AtomicFile, RemovesWhatAKilledWriterLeft) {
  const TemporaryFolder folder;
  write_and_be_killed(folder / "plan");
  ASSERT_EQ(folder.entries(), 1U);
  ASSERT_TRUE(write_file(folder / "plan", "whole").ok());
  EXPECT_EQ(content(folder / "plan"), "whole");
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(AtomicFile, RemovesWhatAKilledWriterLeftBehindALivingOne) {
  const TemporaryFolder folder;
  {
    auto living = AtomicFile::create(folder / "plan");
    auto another = AtomicFile::create(folder / "plan");
    ASSERT_TRUE(living.ok() && another.ok());
    write_and_be_killed(folder / "plan");
    ASSERT_EQ(folder.entries(), 3U);
    ASSERT_TRUE(living->write("of the living").ok());
    ASSERT_TRUE(living->commit().ok());
    EXPECT_EQ(content(folder / "plan"), "of the living");
  }
  ASSERT_EQ(folder.entries(), 2U);  // the plan, and the killed writer's
  ASSERT_TRUE(write_file(folder / "plan", "the next").ok());
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(AtomicFile, AKilledWriterOfAnotherFileIsLeftAlone) {
  const TemporaryFolder folder;
  write_and_be_killed(folder / "plan");
  ASSERT_TRUE(write_file(folder / "plan.json", "{}").ok());
  ASSERT_TRUE(write_file(folder / "pla", "x").ok());
  EXPECT_EQ(folder.entries(), 3U);
}

TEST(AtomicFile, WhatIsNoWritersFileStays) {
  const TemporaryFolder folder;
  const auto precious = folder.write("precious", "keep");
  std::filesystem::create_symlink(precious, folder / "plan.tarmac-tmp.0");
  std::filesystem::create_directory(folder / "plan.tarmac-tmp.1");
  ASSERT_EQ(::mkfifo((folder / "plan.tarmac-tmp.2").c_str(), 0600), 0);
  ASSERT_TRUE(write_file(folder / "plan", "whole").ok());
  EXPECT_EQ(content(folder / "plan"), "whole");
  EXPECT_EQ(content(precious), "keep");
  EXPECT_EQ(folder.entries(), 5U);
}

TEST(AtomicFile, ManyWritersOfOnePathNeverTakeEachOtherForDead) {
  const TemporaryFolder folder;
  constexpr int kWriters = 6;
  constexpr int kTimes = 50;
  std::vector<int> failed(kWriters, 0);
  std::vector<std::thread> writers;
  for (int& failures : failed) {
    writers.emplace_back([&folder, &failures] {
      for (int i = 0; i < kTimes; ++i) failures += write_file(folder / "plan", "whole").ok() ? 0 : 1;
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(failed, std::vector<int>(kWriters, 0));
  EXPECT_EQ(content(folder / "plan"), "whole");
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(AtomicFile, AMissingFolderIsNotFound) {
  const TemporaryFolder folder;
  const Status status = write_file(folder / "missing/plan", "x");
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kNotFound);
}

TEST(AtomicFile, AFolderInItsPlaceIsAnErrorAndStays) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "plan");
  const Status status = write_file(folder / "plan", "x");
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kIo);
  EXPECT_TRUE(std::filesystem::is_directory(folder / "plan"));
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(AtomicFile, AFolderWithoutPermissionIsRefused) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  const TemporaryFolder folder;
  ::chmod(folder.path().c_str(), 0500);
  const Status status = write_file(folder / "plan", "x");
  ::chmod(folder.path().c_str(), 0700);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kIo);
  EXPECT_NE(status.error().message.find("check the permissions"), std::string::npos);
}

TEST(MappedFile, ShowsTheBytes) {
  const TemporaryFolder folder;
  const auto file = MappedFile::open(folder.write("a", std::string("a\0b", 3)));
  ASSERT_TRUE(file.ok());
  ASSERT_EQ((*file)->bytes().size(), 3U);
  EXPECT_EQ((*file)->bytes()[1], std::byte{0});
  EXPECT_EQ((*file)->path(), folder / "a");
}

TEST(MappedFile, BytesStayValidWhenTheirPagesAreGivenBack) {
  const TemporaryFolder folder;
  const std::string text(100'000, 'x');
  const auto file = MappedFile::open(folder.write("a", text));
  ASSERT_TRUE(file.ok());
  const auto bytes = (*file)->bytes();
  release_pages(bytes);
  release_pages(bytes.subspan(5000, 10'000));
  EXPECT_EQ(std::memcmp(bytes.data(), text.data(), text.size()), 0);
}

TEST(MappedFile, MemoryThatIsNoFileIsNotGivenBack) {
  const std::vector<std::byte> own(100'000, std::byte{7});
  release_pages(own);
  EXPECT_TRUE(std::all_of(own.begin(), own.end(), [](std::byte b) { return b == std::byte{7}; }));
}

TEST(MappedFile, AnEmptyFileIsEmptyNotAnError) {
  const TemporaryFolder folder;
  const auto file = MappedFile::open(folder.write("empty", ""));
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE((*file)->bytes().empty());
}

TEST(MappedFile, RefusesWhatIsNotARegularFile) {
  const TemporaryFolder folder;
  EXPECT_EQ(MappedFile::open(folder / "missing").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(MappedFile::open(folder.write("file", "x") / "below").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(MappedFile::open(folder.path()).error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(MappedFile::open("/dev/zero").error().code, ErrorCode::kInvalidInput);
}

TEST(MappedFile, APipeDoesNotHang) {
  const TemporaryFolder folder;
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(MappedFile::open(folder / "pipe").error().code, ErrorCode::kInvalidInput);
}

TEST(MappedFile, AFileWithoutPermissionIsRefused) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may read everything";
  const TemporaryFolder folder;
  const auto path = folder.write("secret", "x");
  ::chmod(path.c_str(), 0);
  EXPECT_EQ(MappedFile::open(path).error().code, ErrorCode::kIo);
}

TEST(ReadFile, KeepsToItsLimit) {
  const TemporaryFolder folder;
  const auto path = folder.write("big", std::string(101, 'x'));
  EXPECT_EQ(read_file(path, 101)->size(), 101U);
  EXPECT_EQ(read_file(path, 100).error().code, ErrorCode::kResourceExhausted);
}

}  // namespace
}  // namespace tarmac
