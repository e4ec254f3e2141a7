// A reference parser: WHATWG HTML 9.2.5 and 9.2.6 word by word, on a whole stream at once. It shares nothing
// with src/sse.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct ReferenceEvent {
    std::string lastEventId;
    std::string type;
    std::string data;

    bool operator==(const ReferenceEvent&) const = default;
};

class ReferenceParser {
public:
    explicit ReferenceParser(std::string stream) {
        if (stream.compare(0, 3, "\xef\xbb\xbf") == 0) {
            stream.erase(0, 3);
        }
        size_t begin = 0;
        while (begin < stream.size()) {
            const size_t end = stream.find_first_of("\r\n", begin);
            if (end == std::string::npos) {
                break; // an unfinished line and an unfinished event are discarded
            }
            processLine(stream.substr(begin, end - begin));
            begin = end + (stream.compare(end, 2, "\r\n") == 0 ? 2 : 1);
        }
    }

    const std::vector<ReferenceEvent>& events() const { return events_; }
    std::optional<unsigned long> reconnectionTime() const { return reconnectionTime_; }
    size_t comments() const { return comments_; }

private:
    void processLine(const std::string& line) {
        if (line.empty()) {
            dispatch();
        } else if (line[0] == ':') {
            ++comments_;
        } else if (const size_t colon = line.find(':'); colon != std::string::npos) {
            const bool space = colon + 1 < line.size() && line[colon + 1] == ' ';
            processField(line.substr(0, colon), line.substr(colon + (space ? 2 : 1)));
        } else {
            processField(line, "");
        }
    }

    void processField(const std::string& name, const std::string& value) {
        if (name == "event") {
            type_ = value;
        } else if (name == "data") {
            data_ += value + "\n";
        } else if (name == "id") {
            if (value.find('\0') == std::string::npos) {
                id_ = value;
            }
        } else if (name == "retry") {
            if (!value.empty() && value.find_first_not_of("0123456789") == std::string::npos) {
                reconnectionTime_ = std::stoul(value);
            }
        }
    }

    void dispatch() {
        if (!data_.empty()) {
            data_.pop_back();
            events_.push_back({id_, type_.empty() ? "message" : type_, data_});
        }
        data_.clear();
        type_.clear();
    }

    std::vector<ReferenceEvent> events_;
    std::optional<unsigned long> reconnectionTime_;
    size_t comments_ = 0;
    std::string id_; // the buffer lasts; only `id` changes it
    std::string type_;
    std::string data_;
};
