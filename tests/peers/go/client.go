// Uses the official Go SDK, producer and consumer library as their examples show: client ENDPOINT KEY_ID SECRET PROJECT; prints what it saw as
// JSON.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strconv"
	"sync"
	"time"

	sls "github.com/aliyun/aliyun-log-go-sdk"
	consumer "github.com/aliyun/aliyun-log-go-sdk/consumer"
	"github.com/aliyun/aliyun-log-go-sdk/producer"
	"github.com/gogo/protobuf/proto"
)

const store, text = "web", "größer 日志"

type place struct {
	endpoint, keyID, secret, project string
	client                           sls.ClientInterface
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func eventLog(n int) *sls.Log {
	return &sls.Log{Time: proto.Uint32(uint32(time.Now().Unix())), Contents: []*sls.LogContent{
		{Key: proto.String("n"), Value: proto.String(strconv.Itoa(n))}, {Key: proto.String("text"), Value: proto.String(text)},
	}}
}

func (p *place) create() {
	_, err := p.client.CreateProject(p.project, "made by go")
	must(err)
	must(p.client.CreateLogStore(p.project, store, 7, 2, false, 16))
	index := sls.Index{
		Line: &sls.IndexLine{Token: []string{" ", ","}},
		Keys: map[string]sls.IndexKey{"n": {Type: "long", DocValue: true}},
	}
	must(p.client.CreateIndex(p.project, store, index))
}

// Numbers 1 to 3 by the client itself, each with another compression, 4 and 5 by the producer.
func (p *place) write() (produced bool) {
	for n, compression := range []int{sls.Compress_LZ4, sls.Compress_None, sls.Compress_ZSTD} {
		group := &sls.LogGroup{Topic: proto.String("topic"), Source: proto.String("10.0.0.1"), Logs: []*sls.Log{eventLog(n + 1)}}
		must(p.client.PostLogStoreLogsV2(p.project, store, &sls.PostLogStoreLogsRequest{LogGroup: group, CompressType: compression}))
	}
	config := producer.GetDefaultProducerConfig()
	config.Endpoint, config.AllowLogLevel, config.LingerMs = p.endpoint, "error", 100
	config.CredentialsProvider = sls.NewStaticCredentialsProvider(p.keyID, p.secret, "")
	made := producer.InitProducer(config)
	made.Start()
	done := &sent{both: make(chan bool, 2)}
	must(made.SendLogWithCallBack(p.project, store, "made", "10.0.0.2", eventLog(4), done))
	must(made.SendLogWithCallBack(p.project, store, "made", "10.0.0.2", eventLog(5), done))
	produced = <-done.both && <-done.both
	made.SafeClose()
	return produced
}

type sent struct{ both chan bool }

func (s *sent) Success(*producer.Result) { s.both <- true }
func (s *sent) Fail(result *producer.Result) {
	fmt.Fprintln(os.Stderr, result.GetErrorCode(), result.GetErrorMessage())
	s.both <- false
}

func (p *place) pull() (numbers []int) {
	shards, err := p.client.ListShards(p.project, store)
	must(err)
	for _, shard := range shards {
		cursor, err := p.client.GetCursor(p.project, store, shard.ShardID, "begin")
		must(err)
		groups, _, err := p.client.PullLogs(p.project, store, shard.ShardID, cursor, "", 100)
		must(err)
		numbers = append(numbers, numbersOf(groups)...)
	}
	sort.Ints(numbers)
	return numbers
}

func numbersOf(groups *sls.LogGroupList) (numbers []int) {
	for _, group := range groups.LogGroups {
		for _, log := range group.Logs {
			for _, content := range log.Contents {
				if content.GetKey() == "n" {
					n, _ := strconv.Atoi(content.GetValue())
					numbers = append(numbers, n)
				}
			}
		}
	}
	return numbers
}

// With the consumer library, until each of five numbers has come.
func (p *place) consume() []int {
	var lock sync.Mutex
	seen := map[int]bool{}
	config := consumer.LogHubConfig{
		Endpoint: p.endpoint, AccessKeyID: p.keyID, AccessKeySecret: p.secret, Project: p.project, Logstore: store,
		ConsumerGroupName: "group", ConsumerName: "one", CursorPosition: consumer.BEGIN_CURSOR, HeartbeatIntervalInSecond: 1,
		AllowLogLevel: "error",
	}
	worker := consumer.InitConsumerWorkerWithCheckpointTracker(config,
		func(_ int, groups *sls.LogGroupList, tracker consumer.CheckPointTracker) (string, error) {
			lock.Lock()
			defer lock.Unlock()
			for _, n := range numbersOf(groups) {
				seen[n] = true
			}
			return "", tracker.SaveCheckPoint(true)
		})
	worker.Start()
	defer worker.StopAndWait()
	for turn := 0; turn < 600; turn++ {
		time.Sleep(100 * time.Millisecond)
		lock.Lock()
		if len(seen) == 5 {
			lock.Unlock()
			break
		}
		lock.Unlock()
	}
	numbers := []int{}
	for n := range seen {
		numbers = append(numbers, n)
	}
	sort.Ints(numbers)
	return numbers
}

func (p *place) ask(query string) []map[string]string {
	now := time.Now().Unix()
	found, err := p.client.GetLogsV3(p.project, store, &sls.GetLogRequest{From: now - 600, To: now + 600, Lines: 100, Query: query})
	must(err)
	return found.Logs
}

func main() {
	p := &place{endpoint: os.Args[1], keyID: os.Args[2], secret: os.Args[3], project: os.Args[4]}
	p.client = sls.CreateNormalInterfaceV2(p.endpoint, sls.NewStaticCredentialsProvider(p.keyID, p.secret, ""))
	p.client.SetAuthVersion(sls.AuthV4)
	p.client.SetRegion("local")
	p.create()
	report := map[string]any{"produced": p.write()}
	rows := p.ask("n > 0")
	for turn := 0; turn < 300 && len(rows) < 5; turn++ {
		time.Sleep(200 * time.Millisecond)
		rows = p.ask("n > 0")
	}
	now := time.Now().Unix()
	report["rows"], report["counts"] = rows, p.ask("* | select count(*) as c, max(n) as m")
	histogram, err := p.client.GetHistograms(p.project, store, "", now-600, now+600, "n > 3")
	must(err)
	report["hits"], report["pulled"], report["consumed"] = histogram.Count, p.pull(), p.consume()
	_, err = p.client.GetLogsV3(p.project, store, &sls.GetLogRequest{From: now - 600, To: now + 600, Query: "n > x"})
	report["refused"] = fmt.Sprint(err)
	must(p.client.DeleteProject(p.project))
	must(json.NewEncoder(os.Stdout).Encode(report))
}
