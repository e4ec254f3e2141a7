// Lines out of a stream of bytes, however it is cut.
#include "sse/split.hpp"

#include <algorithm>
#include <random>

#include "pieces.hpp"

using sse::LineSplitter;
using sse::SplitStatus;

namespace {

struct Result {
    SplitStatus status = SplitStatus::Ok;
    std::vector<std::string> lines;
};

Result split(const Pieces& pieces, size_t maxLine = 100) {
    Result result;
    LineSplitter splitter(maxLine);
    auto sink = [&](std::string_view line) {
        result.lines.emplace_back(line);
        return true;
    };
    for (std::string_view piece : pieces) {
        const Exact exact(piece);
        result.status = splitter.feed(exact.view(), sink);
        if (result.status != SplitStatus::Ok) {
            return result;
        }
    }
    result.status = splitter.finish(sink);
    return result;
}

void assertLines(const std::vector<std::string>& lines, const std::vector<std::string>& expected,
                 const std::string& where) {
    if (lines.size() != expected.size()) {
        fail_msg("%s: %zu lines instead of %zu", where.c_str(), lines.size(), expected.size());
    }
    for (size_t i = 0; i < lines.size(); ++i) {
        assertText(lines[i], expected[i], where);
    }
}

void testLineEnds(void**) {
    const struct {
        std::string_view text;
        std::vector<std::string> lines;
    } cases[] = {
        {"", {}},
        {"a", {"a"}},
        {"a\n", {"a"}},
        {"a\r", {"a"}},
        {"a\r\n", {"a"}},
        {"a\nb", {"a", "b"}},
        {"a\rb", {"a", "b"}},
        {"a\r\nb", {"a", "b"}},
        {"\n", {""}},
        {"\r", {""}},
        {"\r\n", {""}},
        {"\n\n", {"", ""}},
        {"\r\r", {"", ""}},
        {"\n\r", {"", ""}},
        {"\n\r\n", {"", ""}},
        {"\r\n\n", {"", ""}},
        {"\r\r\n", {"", ""}},
        {"\r\n\r\n", {"", ""}},
        {"\r\n\r", {"", ""}},
        {"\r\n\r\n\n\r\r\n", {"", "", "", "", ""}},
        {"ab\r\n\r\ncd\n\n\ref\r", {"ab", "", "cd", "", "", "ef"}},
        {"one\ntwo\rthree\r\nfour", {"one", "two", "three", "four"}},
        {" a \n\tb", {" a ", "\tb"}},
        {"a\vb\fc\n", {"a\vb\fc"}},
        {"a\u2028b\u2029c\u0085d\n", {"a\u2028b\u2029c\u0085d"}},
    };
    for (const auto& c : cases) {
        everyCut(c.text, [&](const Pieces& pieces) {
            const Result result = split(pieces);
            assert_int_equal(result.status, SplitStatus::Ok);
            assertLines(result.lines, c.lines, readable(pieces));
        });
    }
}

void testNul(void**) {
    everyCut("a\0b\n\0\r\n\0"sv, [](const Pieces& pieces) {
        assertLines(split(pieces).lines, {std::string("a\0b", 3), std::string(1, '\0'), std::string(1, '\0')},
                    readable(pieces));
    });
}

// Nothing may wait for what comes behind a CR: it may be long in coming.
void testLineIsHandedOutAtOnce(void**) {
    for (std::string_view end : {"\n", "\r", "\r\n"}) {
        LineSplitter splitter(10);
        int lines = 0;
        auto sink = [&](std::string_view line) {
            ++lines;
            return line == "a";
        };
        assert_int_equal(splitter.feed("a", sink), SplitStatus::Ok);
        assert_true(splitter.inLine());
        assert_int_equal(lines, 0);
        assert_int_equal(splitter.feed(end, sink), SplitStatus::Ok);
        assert_int_equal(lines, 1);
        assert_false(splitter.inLine());
        assert_int_equal(splitter.finish(sink), SplitStatus::Ok);
        assert_int_equal(lines, 1);
    }
}

void testNoPieceAtAll(void**) {
    assertLines(split({}).lines, {}, "nothing");
    assertLines(split({std::string_view(), "a\r", std::string_view(), "\nb"}).lines, {"a", "b"},
                "null pieces");
}

void testLimit(void**) {
    const struct {
        std::string_view text;
        SplitStatus status;
        size_t lines;
    } cases[] = {
        {"1234\n", SplitStatus::Ok, 1},           {"1234", SplitStatus::Ok, 1},
        {"12345\n", SplitStatus::TooLong, 0},     {"12345", SplitStatus::TooLong, 0},
        {"a\r\n1234\r\n", SplitStatus::Ok, 2},    {"a\n12345\nb\n", SplitStatus::TooLong, 1},
        {"1234\n1234\r1234", SplitStatus::Ok, 3}, {"1234567890", SplitStatus::TooLong, 0},
    };
    for (const auto& c : cases) {
        everyCut(c.text, [&](const Pieces& pieces) {
            const Result result = split(pieces, 4);
            if (result.status != c.status || result.lines.size() != c.lines) {
                fail_msg("%s: status %d, %zu lines", readable(pieces).c_str(),
                         static_cast<int>(result.status), result.lines.size());
            }
        });
    }
}

// A byte order mark at the start of the stream, and only there, is no part of a line: neither of what is
// handed out nor of what is measured.
void testByteOrderMark(void**) {
    const struct {
        std::string_view text;
        std::vector<std::string> lines;
    } cases[] = {
        {"\ufeff", {}},
        {"\ufeff\n", {""}},
        {"\ufeff1234\n", {"1234"}},
        {"\ufeff1234\r\n1234", {"1234", "1234"}},
        {"\ufeff123", {"123"}},
        {"\ufeff\ufeff", {"\ufeff"}},
        {"\ufeff\ufeff1\n", {"\ufeff1"}},
        {"1\n\ufeff\n", {"1", "\ufeff"}},
        {"\n\ufeff1\n", {"", "\ufeff1"}},
        {"\xef", {"\xef"}},
        {"\xef\xbb", {"\xef\xbb"}},
        {"\xef\xbb\n", {"\xef\xbb"}},
        {"\xef\xbb\r\n\xbf", {"\xef\xbb", "\xbf"}},
        {"\xef\xbb\xbe\n", {"\xef\xbb\xbe"}},
        {"\xef\xef\xbb\n", {"\xef\xef\xbb"}},
    };
    for (const auto& c : cases) {
        everyCut(c.text, [&](const Pieces& pieces) {
            const Result result = split(pieces, 4);
            assert_int_equal(result.status, SplitStatus::Ok);
            assertLines(result.lines, c.lines, readable(pieces));
        });
    }
    for (std::string_view text : {"\ufeff12345\n"sv, "\ufeff12345"sv, "\ufeff\ufeff12"sv}) {
        everyCut(text, [](const Pieces& pieces) {
            assert_int_equal(split(pieces, 4).status, SplitStatus::TooLong);
        });
    }
    LineSplitter splitter(4);
    auto sink = [](std::string_view) { return true; };
    assert_int_equal(splitter.feed("\xef", sink), SplitStatus::Ok);
    assert_true(splitter.inLine());
    assert_int_equal(splitter.feed("\xbb\xbf", sink), SplitStatus::Ok);
    assert_false(splitter.inLine());
}

// Every framing, one byte less than the limit, at it, and one more.
void testExactLimit(void**) {
    for (std::string_view before : {"", "\ufeff", "a\n", "a\r\n", "\r"}) {
        for (std::string_view end : {"", "\n", "\r", "\r\n", "\r\nb"}) {
            for (size_t length = 7; length <= 9; ++length) {
                const std::string line(length, 'x');
                everyCut(std::string(before) + line + std::string(end), [&](const Pieces& pieces) {
                    const Result result = split(pieces, 8);
                    const bool found =
                        std::find(result.lines.begin(), result.lines.end(), line) != result.lines.end();
                    if (found != (length <= 8) ||
                        result.status != (found ? SplitStatus::Ok : SplitStatus::TooLong)) {
                        fail_msg("%s: status %d", readable(pieces).c_str(), static_cast<int>(result.status));
                    }
                });
            }
        }
    }
}

// Memory: never more than the longest line, none for lines that come whole, and none once it is asked back.
void testMemory(void**) {
    for (size_t limit : {1, 100, 1000, 100000}) {
        LineSplitter splitter(limit);
        size_t length = 0;
        auto sink = [&](std::string_view line) {
            length = line.size();
            return true;
        };
        assert_int_equal(splitter.feed(std::string(limit, 'x') + "\n", sink), SplitStatus::Ok);
        assert_int_equal(splitter.held(), 0);
        for (size_t size = 0; size < limit; ++size) {
            assert_int_equal(splitter.feed("x", sink), SplitStatus::Ok);
            splitter.release();
            assert_true(splitter.held() > size && splitter.held() <= limit);
        }
        length = 0;
        assert_int_equal(splitter.feed("\n", sink), SplitStatus::Ok);
        assert_int_equal(length, limit);
        splitter.release();
        assert_int_equal(splitter.held(), 0);
    }
}

// A line that never ends is refused as soon as it is too long, not kept until it ends.
void testLimitHoldsWithoutAnEnd(void**) {
    LineSplitter splitter(1000);
    auto sink = [](std::string_view) { return true; };
    const std::string piece(100, 'x');
    for (int i = 0; i < 10; ++i) {
        assert_int_equal(splitter.feed(piece, sink), SplitStatus::Ok);
    }
    assert_int_equal(splitter.feed("x", sink), SplitStatus::TooLong);
}

void testSinkStops(void**) {
    everyCut("a\nb\r\nc\rd\n", [](const Pieces& pieces) {
        LineSplitter splitter(10);
        std::string seen;
        auto sink = [&](std::string_view line) {
            seen += line;
            return line != "b";
        };
        SplitStatus status = SplitStatus::Ok;
        for (auto piece = pieces.begin(); piece != pieces.end() && status == SplitStatus::Ok; ++piece) {
            status = splitter.feed(*piece, sink);
        }
        assert_int_equal(status, SplitStatus::Stopped);
        assertText(seen, "ab", readable(pieces));
    });
    LineSplitter splitter(10);
    auto refuse = [](std::string_view) { return false; };
    assert_int_equal(splitter.feed("a", refuse), SplitStatus::Ok);
    assert_int_equal(splitter.finish(refuse), SplitStatus::Stopped);
}

std::vector<std::string> naiveLines(const std::string& text) {
    std::vector<std::string> lines(1);
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\n' && i > 0 && text[i - 1] == '\r') {
            continue;
        }
        if (text[i] == '\r' || text[i] == '\n') {
            lines.emplace_back();
        } else {
            lines.back() += text[i];
        }
    }
    if (lines.back().empty()) {
        lines.pop_back();
    }
    return lines;
}

void testRandom(void**) {
    std::mt19937 random(20240607);
    for (int round = 0; round < 10000; ++round) {
        std::string text;
        for (size_t length = random() % 60; length > 0; --length) {
            text += "\r\nab \xe2"[random() % 6];
        }
        Pieces pieces;
        for (size_t at = 0; at < text.size();) {
            const size_t length = random() % 8;
            pieces.push_back(std::string_view(text).substr(at, length));
            at += length;
        }
        assertLines(split(pieces).lines, naiveLines(text), readable(pieces));
    }
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(testLineEnds),
        cmocka_unit_test(testNul),
        cmocka_unit_test(testLineIsHandedOutAtOnce),
        cmocka_unit_test(testNoPieceAtAll),
        cmocka_unit_test(testLimit),
        cmocka_unit_test(testByteOrderMark),
        cmocka_unit_test(testExactLimit),
        cmocka_unit_test(testMemory),
        cmocka_unit_test(testLimitHoldsWithoutAnEnd),
        cmocka_unit_test(testSinkStops),
        cmocka_unit_test(testRandom),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
