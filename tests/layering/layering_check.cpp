// Reads the includes of every source file and fails on an arrow between rooms that the architecture does not
// have, on an outside header out of its place, and on a library that prints, exits, or reads the clock or the
// environment.
#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

// A room may include itself and these. record/tokenizer is a room of its own: it knows no libtorch.
const std::map<std::string, std::set<std::string>> kArrows{
    {"schemas", {}},
    {"kernels", {}},
    {"record/tokenizer", {"schemas"}},
    {"record", {"record/tokenizer", "kernels", "schemas"}},
    {"replay", {"schemas"}},
    {"analyze", {"replay", "schemas"}},
    {"tools", {"analyze", "replay", "record", "record/tokenizer", "schemas"}},
};

struct Place {
  const char* header;   // regular expression over the name in <>
  const char* allowed;  // regular expression over the including file
  const char* rule;
};

constexpr std::array kPlaces{
    Place{R"((torch|ATen|c10)/.*)", R"(record/.*\.cpp)", "libtorch stays in record/*.cpp"},
    Place{R"(sqlite3\.h|SQLiteCpp/.*)", R"(schemas/[^/]*\.cpp)", "SQLite stays in schemas/*.cpp"},
    Place{R"((zlib|lz4.*|lzma|bzlib|brotli/.*)\.h)", R"(replay/signals/.*)",
          "compressors stay in replay/signals"},
    Place{R"(zstd\.h)", R"(replay/signals/.*|schemas/run_store\.cpp)",
          "zstd stays in replay/signals and where the store packs vocabularies"},
    Place{R"(boost/program_options.*)", R"(tools/.*)", "Boost.Program_options stays in tools"},
    Place{R"(rapidjson/.*)", R"(tools/import/.*)", "RapidJSON stays in tools/import"},
    Place{R"(pcre2\.h)", R"(record/tokenizer/.*)", "PCRE2 stays in record/tokenizer"},
    Place{R"(nlohmann/.*)", R"(.*\.cpp)", "nlohmann/json stays out of headers"},
};

struct Habit {
  const char* pattern;
  const char* rule;
};

constexpr std::array kLibraryHabits{
    Habit{R"(std::(cout|cerr|clog)|\b(printf|puts|perror|fprintf)\s*\(|fmt::print)",
          "a library never prints"},
    Habit{R"(\b(std::)?(exit|abort|quick_exit|_Exit)\s*\()", "a library never exits"},
    Habit{R"(_clock::now|\bclock_gettime|\bgettimeofday|\bstd::time\s*\()",
          "a library never reads the clock"},
    Habit{R"(\bgetenv\s*\()", "a library never reads the environment"},
};

std::string room_of(const std::string& file) {
  if (file.rfind("record/tokenizer/", 0) == 0) return "record/tokenizer";
  return file.substr(0, file.find('/'));
}

void check_include(const std::string& file, const std::string& quoted, const std::string& angled,
                   std::vector<std::string>& findings) {
  const std::string room = room_of(file);
  if (!quoted.empty() && kArrows.count(room) > 0) {
    const std::string target = room_of(quoted);
    if (target != room && kArrows.at(room).count(target) == 0) {
      findings.push_back(
          fmt::format("{} includes \"{}\": there is no arrow from {} to {}", file, quoted, room, target));
    }
  }
  for (const Place& place : kPlaces) {
    if (room == "tests" || !std::regex_match(angled, std::regex(place.header))) continue;
    if (!std::regex_match(file, std::regex(place.allowed))) {
      findings.push_back(fmt::format("{} includes <{}>: {}", file, angled, place.rule));
    }
  }
}

std::vector<std::string> findings_in(const std::string& file, const std::string& text) {
  static const std::regex include(R"re(^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>).*)re");
  const bool library = room_of(file) != "tools" && room_of(file) != "tests";
  std::vector<std::string> findings;
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    std::smatch match;
    if (std::regex_match(line, match, include)) check_include(file, match[1], match[2], findings);
    if (!library) continue;
    const std::string code = line.substr(0, line.find("//"));
    for (const Habit& habit : kLibraryHabits) {
      if (std::regex_search(code, std::regex(habit.pattern))) {
        findings.push_back(fmt::format("{}:{}: {}", file, number, habit.rule));
      }
    }
  }
  return findings;
}

/// A planted fault of each kind must be found, and an innocent file pass.
int self_test() {
  const std::array<std::pair<const char*, const char*>, 9> planted{{
      {"replay/a.cpp", "#include \"record/recorder.h\"\n"},
      {"record/a.cpp", "#include \"replay/guardian.h\"\n"},
      {"record/tokenizer/a.cpp", "#include \"record/recorder.h\"\n"},
      {"schemas/a.cpp", "#include \"tests/support/x.h\"\n"},
      {"record/a.h", "#include <torch/torch.h>\n"},
      {"schemas/store.h", "#include <sqlite3.h>\n"},
      {"analyze/a.cpp", "  std::cout << 1;\n"},
      {"replay/a.cpp", "auto t = std::chrono::steady_clock::now();\n"},
      {"schemas/a.cpp", "const char* home = getenv(\"HOME\");\n"},
  }};
  int missed = 0;
  for (const auto& [file, text] : planted) {
    if (findings_in(file, text).size() != 1) {
      std::cout << "not found: " << file << ": " << text;
      ++missed;
    }
  }
  const auto innocent = findings_in("tools/a.cpp",
                                    "#include \"analyze/cells.h\"\n#include <boost/program_options.hpp>\n"
                                    "std::cout << 1;\n");
  return missed == 0 && innocent.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string root = argc == 2 ? argv[1] : "";
  if (root == "--self-test") return self_test();
  int files = 0;
  int wrong = 0;
  for (const char* room : {"schemas", "kernels", "record", "replay", "analyze", "tools", "tests"}) {
    if (!fs::is_directory(fs::path(root) / room)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(root) / room)) {
      const std::string extension = entry.path().extension();
      if (extension != ".h" && extension != ".cpp" && extension != ".cu" && extension != ".in") continue;
      std::ifstream stream(entry.path());
      const std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
      ++files;
      for (const std::string& finding : findings_in(fs::relative(entry.path(), root), text)) {
        std::cout << finding << '\n';
        ++wrong;
      }
    }
  }
  std::cout << fmt::format("{} files, {} findings\n", files, wrong);
  return files > 0 && wrong == 0 ? 0 : 1;
}
